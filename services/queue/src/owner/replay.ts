import { decodeMessage, type Log } from "@runlane/platform";
import { LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { apply, UnexpectedEvent } from "../engine/apply.js";
import type { Durable } from "../engine/durable.js";

/** What a replay went through. */
export interface Replayed {
  readonly events: number;
  readonly ms: number;
}

/**
 * Brings the state to where the log is, up to and including the owner's own epoch record: on a replicated stream a read may come from a replica that lags, and only
 * that record proves that nothing is missing.
 */
export async function replay(log: Log, durable: Durable, epoch: number): Promise<Replayed> {
  const began = performance.now();
  let events = 0;
  let next = 1;
  while (next <= epoch) {
    for await (const { sequence, record } of log.read(next)) {
      if (sequence > epoch) break;
      next = sequence + 1;
      // Runs keep slices of what they are decoded from; a view into a larger read buffer would keep all of that alive.
      const { record: entry } = decodeMessage(LogRecordSchema, record.slice());
      if (entry.case === "batch") {
        const batch = entry.value;
        const context = { now: Number(batch.nowMs), epoch: batch.epoch };
        for (const event of batch.events) apply(durable, event, context);
        events += batch.events.length;
      } else if (entry.case === "epochStarted") {
        durable.now = Math.max(durable.now, Number(entry.value.timeMs));
      } else {
        throw new UnexpectedEvent(
          `record ${sequence} of the log is of a kind that this version does not know; start the version that wrote it, or a newer one`,
        );
      }
    }
  }
  return { events, ms: performance.now() - began };
}
