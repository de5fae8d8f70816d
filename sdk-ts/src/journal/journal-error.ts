/** Stable reasons of a {@link JournalError}; docs/errors.md explains each. */
export type JournalErrorCode = "JOURNAL_KEY_REQUIRED" | "JOURNAL_MISMATCH";

/**
 * The journal of a run cannot serve its code. `code` says why: JOURNAL_KEY_REQUIRED for steps of one name that overlap and have no key of their own, JOURNAL_MISMATCH for code that ran again
 * and asked for something else than before. Recognised by its name.
 */
export class JournalError extends Error {
  override readonly name = "JournalError";
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** True for a JournalError of any copy of the SDK. */
export function isJournalError(error: unknown): error is JournalError {
  return error instanceof Error && error.name === "JournalError" && "code" in error;
}
