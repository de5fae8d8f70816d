/** A worker cannot be built or started from what the user wrote. The message is for people, and says what to change. */
export class WorkerBuildError extends Error {
  override readonly name = "WorkerBuildError";
  /** Files that were imported and are not there, absolute, without the extension if the import has none. */
  readonly missing: readonly string[];

  constructor(message: string, { missing = [], cause }: { missing?: readonly string[]; cause?: unknown } = {}) {
    super(message, { cause });
    this.missing = missing;
  }
}
