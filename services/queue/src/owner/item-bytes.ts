import type { TriggerItem, TriggerOptions } from "@runlane/platform/gen/runlane/v1/run_pb.js";

/** About how many bytes items take in the log. */
export function itemBytes(items: readonly TriggerItem[]): number {
  let bytes = 0;
  for (const { payload, options } of items) {
    bytes += 32 + (payload?.data.length ?? 0);
    if (options) bytes += (options.metadata?.data.length ?? 0) + keyBytes(options);
  }
  return bytes;
}

/** Characters beyond ASCII have up to three bytes. */
function keyBytes({ idempotencyKey, debounce, concurrencyKey }: TriggerOptions): number {
  const key = idempotencyKey ? idempotencyKey.key.length + idempotencyKey.displayKey.length : 0;
  return 3 * (key + (debounce?.key.length ?? 0) + concurrencyKey.length);
}
