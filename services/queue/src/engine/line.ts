import type { Need } from "./need.js";
import type { QueueRecord } from "./queue-record.js";
import type { ReadyList } from "./ready-list.js";
import { Ring, type Turn } from "./ring.js";

/** The runs of one queue that need the same. Its turns are those of the queue, see Need.lines. An index. */
export interface Line extends Turn<Line> {
  readonly queue: QueueRecord;
  readonly need: Need;
  /** Lists that may start a run, one for each key: keys take turns. */
  readonly lists: Ring<ReadyList>;
  /** All lists, of keys that wait for a slot of theirs too. */
  listCount: number;
  /** The number of the choice that last found everything there but slots of keys. */
  checked: number;
}

/** The line of a queue for a need, made if there is none. */
export function lineOf(queue: QueueRecord, need: Need): Line {
  let line = queue.lines.get(need.key);
  if (!line) {
    line = { queue, need, lists: new Ring(), listCount: 0, checked: 0, ring: undefined, before: undefined, after: undefined, ticket: 0 };
    queue.lines.set(need.key, line);
    need.lineCount += 1;
  }
  return line;
}
