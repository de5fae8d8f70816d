import type { Durable } from "./durable.js";
import type { Lane } from "./lane.js";
import type { LimitSlots } from "./limit-record.js";
import { type Line, lineOf } from "./line.js";
import { type NeedKind, needKeyOf, needOf } from "./need.js";
import { ReadyRuns } from "./ready-runs.js";
import type { Turn } from "./ring.js";
import type { RunRecord } from "./run-record.js";

/**
 * Ready runs of one lane that need the same, because a run blocks nobody who needs something else. Its turns are those of its key, see Line.lists; while the key has no slot of a limit it
 * waits there. An index.
 */
export interface ReadyList extends Turn<ReadyList> {
  readonly lane: Lane;
  readonly line: Line;
  /** Slots of limits that its runs take. */
  readonly slots: readonly LimitSlots[] | undefined;
  readonly runs: ReadyRuns;
  /** How many they are. */
  count: number;
}

/** What of a run says in which list it belongs. */
export type Needing = Pick<RunRecord, "environment" | "queue" | "lane" | "slots" | "taskId" | "version" | "machine">;

/** The list that a ready run belongs to, made if there is none. */
export function readyListOf({ runs }: Durable, run: Needing, kind: NeedKind): ReadyList {
  const { lane, queue, environment } = run;
  const key = needKeyOf(run, kind);
  for (const list of lane.lists) if (list.line.need.key === key) return list;
  const line = lineOf(queue, needOf(environment, run, kind));
  const slots = kind === "rearmed" ? undefined : run.slots?.slice();
  const list: ReadyList = { lane, line, slots, runs: new ReadyRuns(runs), count: 0, ring: undefined, before: undefined, after: undefined, ticket: 0 };
  lane.lists = [...lane.lists, list];
  line.listCount += 1;
  return list;
}

/** Forgets a list that has become empty, and with the last one the line and the need. That of plain runs without a key is about to be needed again. */
export function dropIfRare(list: ReadyList): void {
  const { lane, line } = list;
  const { need, queue } = line;
  if (lane.key === "" && need.key === need.taskId) return;
  lane.lists = lane.lists.filter((other) => other !== list);
  line.listCount -= 1;
  if (line.listCount > 0) return;
  queue.lines.delete(need.key);
  need.lineCount -= 1;
  if (need.lineCount > 0) return;
  queue.environment.flow.needs.delete(need.key);
  for (const limit of need.limits) limit.waiting.delete(need);
}
