import type { TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";

/** About how many bytes items take in the log. */
export function itemBytes(items: readonly TriggerItem[]): number {
  let bytes = 0;
  for (const item of items) bytes += 32 + (item.payload?.data.length ?? 0) + (item.options?.metadata?.data.length ?? 0);
  return bytes;
}
