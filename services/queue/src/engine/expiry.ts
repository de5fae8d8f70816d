import { create } from "@bufbuild/protobuf";
import { type Failure, FailureKind, FailureSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";

const units = [
  ["w", 7 * 86_400],
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** The failure of a run that did not start within its time to live, as Trigger.dev words it. */
export function expiryFailure(ttlSeconds: number): Failure {
  return create(FailureSchema, { kind: FailureKind.VALUE, message: `Run expired because the TTL (${spanOf(ttlSeconds)}) was reached` });
}

/** A span as triggers write it: 5400 is "1h30m". */
export function spanOf(seconds: number): string {
  let text = "";
  let rest = seconds;
  for (const [unit, size] of units) {
    if (rest >= size) text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text === "" ? "0s" : text;
}
