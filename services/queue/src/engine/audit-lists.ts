import type { Durable } from "./durable.js";
import type { Environment } from "./environment.js";
import type { Lane } from "./lane.js";
import { phases } from "./phase.js";
import type { ReadyList } from "./ready-list.js";
import type { RunRecord } from "./run-record.js";

/** Says where the lists of ready runs, and the counts of who belongs where, differ from what the runs say. */
export function auditLists(environment: Environment, durable: Durable, faults: string[]): void {
  const listed = new Map<ReadyList, number>();
  const members = new Map<Lane, number>();
  for (const run of durable.runs.values()) {
    if (run.environment !== environment || phases[run.phase].settled) continue;
    members.set(run.lane, (members.get(run.lane) ?? 0) + 1);
    if (run.list) listed.set(run.list, (listed.get(run.list) ?? 0) + 1);
    if (run.lane.queue !== run.queue) faults.push(`run ${run.number} is in queue ${run.queue.name} and in a key of ${run.lane.queue.name}`);
    if (phases[run.phase].ready !== (run.list !== undefined) && run.phase !== "resumable") faults.push(`run ${run.number} is ${run.phase} and ${listOf(run)}`);
    if (phases[run.phase].keeps !== environment.flow.keeping.has(run))
      faults.push(`run ${run.number} is ${run.phase}, and the list of those that keep slots errs`);
  }
  for (const run of environment.flow.keeping) if (durable.runs.get(run.number) !== run) faults.push(`run ${run.number} keeps slots and is no more`);
  for (const queue of environment.queues.values()) {
    let queued = 0;
    for (const lane of [queue.keyless, ...queue.lanes.values()]) {
      if ((members.get(lane) ?? 0) !== lane.members)
        faults.push(`key ${lane.key} of ${queue.name} counts ${lane.members} runs, it has ${members.get(lane) ?? 0}`);
      for (const list of lane.lists) {
        const count = listed.get(list) ?? 0;
        if (count !== list.count) faults.push(`a list of ${queue.name} counts ${list.count} runs, it has ${count}`);
        if (list.count > 0 && list.runs.peek()?.list !== list) faults.push(`the first run of a list of ${queue.name} is not meant`);
        if (list.line.need.kind === "start") queued += list.count;
        if (list.ring && list.ring === list.line.lists && list.count === 0) faults.push(`an empty list of ${queue.name} takes turns`);
      }
    }
    if (queued !== queue.queued) faults.push(`queue ${queue.name} counts ${queue.queued} queued runs, it has ${queued}`);
  }
}

function listOf(run: RunRecord): string {
  return run.list ? "in a list" : "in no list";
}
