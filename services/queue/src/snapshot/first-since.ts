import { decodeMessage, type Log } from "@runlane/platform";
import { LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";

/** The first record from `first` on, and before `last`, that was written at `sinceMs` or later; `last` if there is none. The time of a log never goes back, so a few records tell. */
export async function firstSince(log: Log, sinceMs: number, first: number, last: number): Promise<number> {
  let [low, high] = [first, last];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await timeAt(log, middle)) >= sinceMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function timeAt(log: Log, sequence: number): Promise<number> {
  const bytes = await log.at(sequence);
  if (!bytes) throw new Error(`record ${sequence} of the log is not there`);
  const { record } = decodeMessage(LogRecordSchema, bytes);
  if (record.case === "batch") return Number(record.value.nowMs);
  return record.case === "epochStarted" ? Number(record.value.timeMs) : 0;
}
