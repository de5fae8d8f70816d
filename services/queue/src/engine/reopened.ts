import { type LimitRecord, limitIsOpen, slotsAreOpen } from "./limit-record.js";
import type { Need } from "./need.js";

/** A limit of a need that has no slot; undefined if all have one. What is allowed each key is asked here for runs without a key only: these share one. */
export function closedLimitOf({ limits, keyed }: Need): LimitRecord | undefined {
  for (const limit of limits) {
    if (!limitIsOpen(limit)) return limit;
    const slots = keyed ? undefined : limit.slots.get("");
    if (slots && !slotsAreOpen(slots)) return limit;
  }
  return undefined;
}

/**
 * Takes out, of what waited for a limit, the need whose first line waits longest; undefined: nothing waits for it, or it has no slot. What waits for another limit as well goes there. Costs
 * as much as there are needs that wait for it.
 */
export function reopened(limit: LimitRecord): Need | undefined {
  let next: Need | undefined;
  for (const need of limit.waiting) {
    const first = need.lines.head;
    if (!first) {
      limit.waiting.delete(need);
      need.blocked = undefined;
      continue;
    }
    const closed = closedLimitOf(need);
    if (closed && closed !== limit) {
      limit.waiting.delete(need);
      need.blocked = closed;
      closed.waiting.add(need);
    } else if (!closed && (!next?.lines.head || first.ticket < next.lines.head.ticket)) {
      next = need;
    }
  }
  if (next) limit.waiting.delete(next);
  return next;
}
