import { Code, ConnectError } from "@connectrpc/connect";
import { ApiClientMissingError } from "@runlane/sdk";
import { errorInfoOf, ServerAddressError } from "@runlane/sdk/internal";
import { CommandFailure, type ExitCode, exitCode } from "./exit-code.js";

/** What to make of anything that a command threw. */
export function failureOf(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof ConnectError) return failureOfCall(error);
  // No secret key was found: there is a server, perhaps, but no way to speak to it.
  if (error instanceof ApiClientMissingError) return new CommandFailure(exitCode.noServer, error.message, { cause: error });
  if (error instanceof ServerAddressError) return new CommandFailure(exitCode.usage, error.message, { cause: error });
  return new CommandFailure(exitCode.defect, error instanceof Error ? (error.stack ?? error.message) : String(error), { cause: error });
}

/** A failed call as the command's failure. */
export function failureOfCall(error: ConnectError): CommandFailure {
  const code = Code[error.code]?.replace(/(?!^)([A-Z])/g, "_$1").toUpperCase();
  return new CommandFailure(exitCodeOf(error), error.rawMessage, { details: { code, reason: errorInfoOf(error)?.reason }, cause: error });
}

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
