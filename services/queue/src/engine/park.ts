import type { Durable } from "./durable.js";
import { noteDelivered } from "./journal.js";
import { makeReady } from "./ready.js";
import type { RunRecord, Wait } from "./run-record.js";
import { setPhase } from "./transitions.js";
import { addBound } from "./version-record.js";

/**
 * Whether a run can go on from its journal when it loses its worker: it waits, and the journal has all its waits. `wasTold` says that one that executes has been told of the end of a wait and
 * its code has not been heard of since, so that it stands where it waited, as far as anybody knows.
 */
export function mayPark(durable: Durable, { phase, waits, environment, taskId, journal }: RunRecord, wasTold: boolean): boolean {
  if (phase === "assigned") return journal?.offered ?? false;
  if (
    (phase !== "waiting" && phase !== "resumable" && !(phase === "executing" && wasTold)) ||
    !waits ||
    environment.tasks.get(taskId)?.declaration.restartOnWorkerLoss
  )
    return false;
  for (const { commandId, delivered, children } of waits.values()) {
    // Of a run that memory has forgotten, which a key found, the journal could not tell how it ended.
    if ((commandId === 0 && (phase === "executing" || !delivered)) || children.some((child) => !durable.runs.has(child))) return false;
  }
  return true;
}

/** A run has no worker any more. What only its code knew is forgotten: commands that the journal does not have, so that the code that goes on may use their numbers. */
export function parkRun(durable: Durable, run: RunRecord): void {
  const { commands, waits, journal } = run;
  if (commands) for (const id of commands.keys()) if (!journal?.entries.has(id)) commands.delete(id);
  if (waits) for (const [id, wait] of waits) if (wait.commandId === 0) waits.delete(id);
  const ready = run.phase === "assigned" || run.phase === "resumable" || run.phase === "executing";
  if (journal) journal.offered = false;
  setPhase(durable, run, "parked");
  if (ready) reviveRun(durable, run);
}

/** A wait of a parked run has ended: it may go on, with the age that it has. */
export function reviveRun(durable: Durable, run: RunRecord): void {
  setPhase(durable, run, "revived");
  makeReady(durable, run, "revive");
  if (run.version !== "") addBound(run.environment, run, durable.now);
}

/** The ends of waits that came meanwhile go with the assignment, in their order. */
export function offerJournal(run: RunRecord): void {
  const { journal } = run;
  if (!journal) return;
  journal.offered = true;
  const ended: Wait[] = [...(run.waits?.values() ?? [])].filter(({ pending, delivered }) => pending === 0 && !delivered);
  for (const wait of ended.sort((a, b) => a.ended - b.ended)) {
    wait.unseen = true;
    noteDelivered(run, wait);
  }
}

/** A worker has taken the journal: what it says was seen. */
export function takeJournal(run: RunRecord): void {
  if (!run.journal?.offered) return;
  run.journal.offered = false;
  for (const wait of run.waits?.values() ?? []) wait.unseen = false;
}
