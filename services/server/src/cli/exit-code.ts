import { Code, ConnectError } from "@connectrpc/connect";
import { ApiClientMissingError } from "@runlane/sdk";
import { errorInfoOf } from "@runlane/sdk/internal";

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

/** The exit code for a call that failed. */
function exitCodeOf(error: ConnectError): ExitCode {
  switch (error.code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return exitCode.noServer;
    case Code.Internal:
    case Code.Unknown:
    case Code.DataLoss:
      return exitCode.defect;
    default:
      return exitCode.refused;
  }
}

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

/** What to make of anything that a command threw. */
export function failureOf(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof ConnectError) return failureOfCall(error);
  // No secret key was found: there is a server, perhaps, but no way to speak to it.
  if (error instanceof ApiClientMissingError) return new CommandFailure(exitCode.noServer, error.message, { cause: error });
  return new CommandFailure(exitCode.defect, error instanceof Error ? (error.stack ?? error.message) : String(error), { cause: error });
}

/** A failed call as the command's failure. */
export function failureOfCall(error: ConnectError): CommandFailure {
  const code = Code[error.code]?.replace(/(?!^)([A-Z])/g, "_$1").toUpperCase();
  return new CommandFailure(exitCodeOf(error), error.rawMessage, { details: { code, reason: errorInfoOf(error)?.reason }, cause: error });
}
