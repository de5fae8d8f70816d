import type { ConnectError } from "@connectrpc/connect";
import { invalidFields, itemFault, type Reason, reasonOf, reasons, refusal, statusOf } from "@runlane/platform";
import type { Status } from "@runlane/platform/gen/google/rpc/status_pb.js";
import type { TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { RefusalData } from "../engine/run-record.js";

/** A refusal of the engine as the error of a call. */
export function refusalFrom({ reason, message }: RefusalData): ConnectError {
  // The field stands in front of what is wrong with it: the log keeps a refusal as its reason and its message.
  const [, field, description] = (reason === "INVALID_FIELD" && /^([a-z_][\w.[\]]*):? (.+)$/s.exec(message)) || [];
  if (field && description) return invalidFields([{ field, description }]);
  return refusal(reason in reasons ? (reason as Reason) : "INTERNAL", message);
}

/** A refusal of the engine in the protocol's words. A reason that the catalogue does not know (a newer server wrote it into the log) is INTERNAL. */
export function protocolStatus(data: RefusalData): Status {
  return statusOf(refusalFrom(data));
}

/** Why an item that running code triggers is refused; undefined if it is not. */
export function itemRefusal(item: TriggerItem): RefusalData | undefined {
  const fault = itemFault(item, "item");
  return fault && { reason: reasonOf(fault) ?? "INTERNAL", message: fault.rawMessage };
}
