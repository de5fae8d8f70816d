/** Bytes of a record that tell it from any other: they hold epoch and batch number, or an owner's nonce. */
const markBytes = 64;

/** How a record of the log is known again. */
export function markOf(record: Uint8Array): Uint8Array {
  return record.slice(0, markBytes);
}
