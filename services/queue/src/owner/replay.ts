import { decodeMessage, type Log, LogDamaged } from "@runlane/platform";
import { LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { apply } from "../engine/apply.js";
import type { Durable } from "../engine/durable.js";
import { UnexpectedEvent } from "../engine/unexpected-event.js";
import { eventCountOf } from "./event-count.js";

/** Which part of a log is replayed. */
export interface ReplayedPart {
  /** Sequence of the last record that the state has seen; 0 for none. */
  readonly after: number;
  /** Sequence of the last record to replay. It was appended. */
  readonly to: number;
}

/** What a replay went through. */
export interface Replayed {
  readonly events: number;
  readonly bytes: number;
}

/**
 * Brings the state to where the log is at `to`. An owner gives the sequence of its own epoch record: on a replicated stream a read may come from a replica that lags, and only that record proves
 * that nothing is missing.
 *
 * @throws LogDamaged if a record between is not there (any more)
 */
export async function replay(log: Log, durable: Durable, { after, to }: ReplayedPart): Promise<Replayed> {
  let events = 0;
  let bytes = 0;
  let next = after + 1;
  while (next <= to) {
    for await (const { sequence, record } of log.read(next)) {
      if (sequence > to) break;
      if (sequence !== next) throw new LogDamaged(`records ${next} to ${sequence - 1} of the log are not there any more, and the state needs them`);
      next = sequence + 1;
      bytes += record.length;
      // Runs keep slices of what they are decoded from; a view into a larger read buffer would keep all of that alive.
      const { record: entry } = decodeMessage(LogRecordSchema, record.slice());
      if (entry.case === "batch") {
        const batch = entry.value;
        const context = { now: Number(batch.nowMs), epoch: batch.epoch };
        for (const event of batch.events) apply(durable, event, context);
        events += eventCountOf(batch.events);
      } else if (entry.case === "epochStarted") {
        durable.now = Math.max(durable.now, Number(entry.value.timeMs));
      } else {
        throw new UnexpectedEvent(
          `record ${sequence} of the log is of a kind that this version does not know; start the version that wrote it, or a newer one`,
        );
      }
    }
  }
  return { events, bytes };
}
