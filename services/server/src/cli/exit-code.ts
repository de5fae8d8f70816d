/** How the command ends, for scripts. `runlane --help` lists them. */
export const exitCode = {
  /** Done. With --wait: the run completed. */
  ok: 0,
  /** With --wait: the run did not complete. Of doctor: something fails. Otherwise: the server refused what was asked (no such run, a finished run, a wrong value). */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** There is no server to speak to: it cannot be reached, or does not accept the key. */
  noServer: 3,
  /** The server or worker could not start: a taken port, a data folder in use, no nats-server, no task files. */
  cannotStart: 4,
  /** A defect of Runlane. */
  defect: 70,
} as const;

/** One of {@link exitCode}. */
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** For `--help`. */
export const exitCodeHelp = `
Exit codes:
  0   done; with --wait: the run completed; of doctor: nothing fails
  1   with --wait: the run did not complete; of doctor: something fails; else: refused by the server
  2   the command line is wrong
  3   the server cannot be reached, or does not accept the key
  4   the server or worker could not start
  70  a defect of Runlane`;

/** What a failure says to programs besides its message. */
export interface FailureDetails {
  /** Code of gRPC, for instance "NOT_FOUND". */
  readonly code?: string;
  /** Stable reason from the catalogue of errors, for instance "RUN_NOT_FOUND". */
  readonly reason?: string;
}

/** Ends the command with words for people. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: ExitCode;
  readonly details: FailureDetails;

  constructor(exit: ExitCode, message: string, { details = {}, cause }: { details?: FailureDetails; cause?: unknown } = {}) {
    super(message, { cause });
    this.exitCode = exit;
    this.details = details;
  }
}

/** The command line is wrong in a way that only its command can see. */
export function usageFailure(message: string): CommandFailure {
  return new CommandFailure(exitCode.usage, message);
}

/** Reads an argument with what throws an Error of a wrong one. @throws CommandFailure (usage) with that error's message */
export function readArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw usageFailure((error as Error).message);
  }
}
