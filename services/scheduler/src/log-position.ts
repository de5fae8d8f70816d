import { invalidFields } from "@runlane/platform";

/** Characters of a position: enough for every safe integer, and the same for all, so that the greater text is the later position. */
const digits = 11;
const form = /^[0-9a-z]{11}$/;

/** A sequence of the log as the API shows it; 0 as the empty text. */
export function logPosition(sequence: bigint): string {
  return sequence === 0n ? "" : sequence.toString(36).padStart(digits, "0");
}

/** The sequence of a position; 0 for none. @throws ConnectError INVALID_ARGUMENT if no answer gave it out. */
export function logSequence(position: string, field = "log_position"): bigint {
  if (position === "") return 0n;
  if (!form.test(position)) throw invalidFields([{ field, description: "must be empty, or the log_position of an earlier answer" }]);
  return BigInt(Number.parseInt(position, 36));
}
