import { Code, ConnectError } from "@connectrpc/connect";
import { refusal } from "../errors.js";

/** What Connect says of a request that it cannot read, under the code of a defect of ours. */
const unreadable = /^parse binary:|decompress/;

/**
 * An error of Connect's protocol layer under one of our reasons: what is wrong with a request before any handler sees it, a message that is malformed, too large or missing, a
 * compression that it does not know. Undefined for an error that has details already, or needs none.
 */
export function protocolFault(error: unknown): ConnectError | undefined {
  if (!(error instanceof ConnectError) || error.details.length > 0) return undefined;
  const { code, rawMessage } = error;
  switch (code) {
    case Code.ResourceExhausted:
      return refusal("FRAME_TOO_LARGE", rawMessage.replace(/^message.* larger than configured readMaxBytes (\d+)/, "the message has more than $1 bytes"));
    case Code.InvalidArgument:
      return refusal("MALFORMED_FRAME", rawMessage);
    case Code.Unimplemented:
      return refusal("UNIMPLEMENTED", rawMessage);
    case Code.DeadlineExceeded:
      return refusal("DEADLINE_EXCEEDED", "the call took longer than its deadline");
    case Code.Internal:
      return unreadable.test(rawMessage) ? refusal("MALFORMED_FRAME", `the message cannot be read: ${rawMessage.replace("parse binary: ", "")}`) : undefined;
    default:
      return undefined;
  }
}
