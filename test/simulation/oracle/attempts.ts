import type { AttemptFailed, AttemptSucceeded, RunAssigned, RunResumed } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { type Failure, FailureKind } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { Grounds } from "./grounds.js";
import type { Model } from "./model.js";
import type { Observation } from "./observation.js";
import { holdsSlots, isFinal, type RunModel, type WaitModel } from "./run-model.js";
import { promise } from "./violation.js";
import { canGoOn, endedWaits, hasEnded, tell, wake } from "./wait-model.js";

/** Longest retry delay: 30 days. */
const maxDelayMs = 30 * 24 * 3_600_000;
/** Shorter retry delays keep the slots. */
const shortDelayMs = 30_000;
/** How long a worker has to accept. */
const acceptMs = 5_000;

const expectedState: Readonly<Record<string, RunState>> = {
  TASK_RUN_STALLED_EXECUTING: RunState.FAILED,
  TASK_PROCESS_OOM_KILLED: RunState.CRASHED,
};

/** A run starts, or starts again. */
export function assigned(model: Model, run: RunModel, event: RunAssigned, { now }: Observation): void {
  const resumed = run.place === "revived";
  promise(run.place === "queued" || run.place === "rearmed" || resumed, () => `run ${run.number} is started while it is ${run.place}`);
  const session = model.sessions.get(Number(event.session));
  promise(session?.connection !== undefined, () => `run ${run.number} is given to session ${event.session}, which is not connected`);
  const unfit = model.unfit(run, session.connection);
  promise(unfit === undefined, () => `run ${run.number} is given to worker ${session.workerId}, but ${unfit}`);
  promise(model.tasks.has(run.taskId) && model.isKnown(run.queue), () => `run ${run.number} starts, but its task or queue was never declared`);
  mayTakeSlots(model, run);
  promise(model.hasRate(run, now), () => `run ${run.number} starts before the rate of queue ${run.queue} lets it`);
  promise(
    event.attempt === run.attempt + (resumed ? 0 : 1) && event.resumed === resumed,
    () => `run ${run.number} (${run.place}) starts attempt ${event.attempt} after attempt ${run.attempt}`,
  );
  const late = !run.started && run.expireMs > 0 && run.expireMs <= now;
  promise(!late, () => `run ${run.number} starts, but its time to live ended at ${run.expireMs}, and it is ${now}`);
  inOrder(model, run, now);
  if (!run.started) {
    run.machine = model.machineOf(run);
    run.maxAttempts = run.askedAttempts || (model.tasks.get(run.taskId)?.declaration.maxAttempts ?? 3);
    run.started = true;
  }
  promise(event.attempt <= run.maxAttempts, () => `run ${run.number} starts attempt ${event.attempt} of ${run.maxAttempts}`);
  // Who kept its slots through a short delay starts nothing new.
  run.tokens = run.place === "queued" ? run.weight : 0;
  model.takeRate(run, now, run.tokens);
  run.attempt = event.attempt;
  run.session = session.number;
  run.token = undefined;
  run.leftAt = undefined;
  run.sequence = undefined;
  run.failure = undefined;
  model.move(run, "assigned", now);
  run.version = session.version;
  run.resumed = resumed;
  // Its code is told by the journal.
  if (resumed) for (const id of endedWaits(model, run)) tell(model, run.waits.get(id) as WaitModel);
}

/** A run that waited goes on. */
export function resumed(model: Model, run: RunModel, event: RunResumed, { now }: Observation): void {
  promise(run.place === "resumable", () => `run ${run.number} is resumed while it is ${run.place}`);
  mayTakeSlots(model, run);
  // What waited for room on its own worker comes before what only now asks for it.
  if (model.machineOf(run) === "") inOrder(model, run, now);
  const session = model.sessions.get(run.session ?? 0);
  promise(session !== undefined && model.hasRoom(run, session), () => `run ${run.number} is resumed on a worker without room for its machine`);
  promise(event.waitIds.length > 0, () => `run ${run.number} is resumed for nothing`);
  for (const id of event.waitIds) {
    const wait = run.waits.get(id);
    promise(wait !== undefined && !wait.delivered, () => `run ${run.number} is resumed for wait ${id}, which it does not wait in`);
    promise(hasEnded(model, wait), () => `run ${run.number} is resumed for wait ${id}, which has not ended`);
    tell(model, wait);
  }
  model.move(run, "executing", now);
}

/** An assignment, or an attempt, is given back at no cost. */
export function returned(model: Model, run: RunModel, { now, monotonic, cause }: Observation, grounds: Grounds): void {
  const unaccepted = cause.kind === "tick" && run.place === "assigned" && run.leftAt !== undefined && monotonic - run.leftAt >= acceptMs;
  const released = grounds.results.get(run)?.outcome.case === "release" && !isFinal(run);
  const lost = run.place === "assigned" && grounds.mayLose(model, run);
  promise(unaccepted || released || lost || grounds.returns.has(run), () => `run ${run.number} (${run.place}) is taken back, and nobody gave it back`);
  promise(
    !run.resumed && !((run.place === "waiting" || run.place === "resumable") && canGoOn(model, run)),
    () => `run ${run.number} (${run.place}) starts anew, and could go on from its journal`,
  );
  model.takeRate(run, now, -run.tokens);
  run.attempt -= 1;
  endAttempt(run);
  if (run.attempt === 0) {
    run.started = false;
    run.machine = "";
    run.version = run.askedVersion;
    // It has not started: what its task declares now holds for it.
    model.follow(run);
  }
  model.move(run, "queued", now);
}

/** An attempt returned. */
export function succeeded(model: Model, run: RunModel, _event: AttemptSucceeded, { now }: Observation, grounds: Grounds): void {
  const outcome = grounds.results.get(run)?.outcome;
  promise(
    outcome !== undefined && outcome.case !== "failure" && outcome.case !== "release",
    () => `run ${run.number} is completed, but its worker did not say so`,
  );
  mustRun(run, "completed");
  endAttempt(run);
  finish(model, run, RunState.COMPLETED, now);
}

/** An attempt failed, or was lost. */
export function failed(model: Model, run: RunModel, event: AttemptFailed, { now }: Observation, grounds: Grounds): void {
  const outcome = grounds.results.get(run)?.outcome;
  const lost = run.place !== "assigned" && grounds.mayLose(model, run) && event.failure?.code === "TASK_RUN_STALLED_EXECUTING";
  promise(lost || outcome?.case === "failure", () => `run ${run.number} (${run.place}) fails, but its worker neither said so nor lost it`);
  mustRun(run, "failed");
  const couldGoOn = (run.place === "waiting" || run.place === "resumable") && canGoOn(model, run);
  promise(!lost || !couldGoOn, () => `run ${run.number} (${run.place}) is lost with its worker, and could go on from its journal`);
  const failure = outcome?.case === "failure" ? outcome.value : undefined;
  const askedMs =
    lost || failure?.processLost ? 0 : failure?.retryDelay && Number(failure.retryDelay.seconds) * 1_000 + Math.ceil(failure.retryDelay.nanos / 1e6);
  const machine = failure?.retryMachine && failure.retryMachine !== model.machineOf(run) ? failure.retryMachine : "";
  // Whose process died together with others' may not have been at fault.
  const shared = failure?.processLost === true && !run.ownProcess && model.machineOf(run) === "";
  const hopeless = failure?.failure?.kind === FailureKind.INTERNAL && failure.failure.code === "TASK_PROCESS_OOM_KILLED" && machine === "" && !shared;
  const more = askedMs !== undefined && run.attempt < run.maxAttempts && !hopeless;
  const retryAt = event.retryAtMs === undefined ? undefined : Number(event.retryAtMs);
  const expected = more ? now + Math.min(askedMs, maxDelayMs) : undefined;
  promise(
    retryAt === expected,
    () => `attempt ${run.attempt} of ${run.maxAttempts} of run ${run.number} failed: the next one is due at ${retryAt}, not at ${expected}`,
  );
  const keeps = holdsSlots.has(run.place);
  endAttempt(run);
  run.failure = event.failure;
  run.ownProcess ||= event.ownProcess;
  if (retryAt === undefined) return finish(model, run, stateAfter(event.failure), now);
  // What a machine took is given back as it was taken.
  model.move(run, retryAt <= now ? "queued" : keeps && retryAt - now < shortDelayMs ? "backoff" : "resting", now);
  if (machine !== "") run.machine = machine;
  run.retryAtMs = retryAt;
}

/** A run has reached its final state. */
export function finish(model: Model, run: RunModel, state: RunState, now: number, place: "over" | "canceling" | "cancelingIdle" = "over"): void {
  promise(run.final === undefined, () => `run ${run.number} ended as ${RunState[run.final as RunState]} and ends again as ${RunState[state]}`);
  run.final = state;
  run.finalMs = now;
  model.move(run, place, now);
  for (const waiter of run.waiters) wake(model, waiter, now);
}

/** A run enters its queue for the first time: from now on its time to live counts. */
export function enter(model: Model, run: RunModel, now: number): void {
  const ttl = run.askedTtl ?? model.tasks.get(run.taskId)?.declaration.ttlSeconds ?? 0;
  run.expireMs = ttl === 0 ? 0 : now + ttl * 1_000;
  model.move(run, "queued", now);
}

/** What belongs to one attempt alone is over. */
export function endAttempt(run: RunModel): void {
  const steps = [...run.journal.values()].filter(({ isRecord, text }) => isRecord && text !== undefined);
  run.steps.push(...steps.map(({ text }) => text as string));
  run.journal.clear();
  run.resumed = false;
  run.token = undefined;
  run.waits.clear();
  run.commands.clear();
}

function stateAfter(failure: Failure | undefined): RunState {
  return (failure?.kind === FailureKind.INTERNAL && expectedState[failure.code]) || RunState.FAILED;
}

function mustRun(run: RunModel, what: string): void {
  const running = run.place === "executing" || run.place === "assigned" || run.place === "waiting" || run.place === "resumable";
  promise(running, () => `run ${run.number} is ${what} while it is ${run.place}`);
}

function mayTakeSlots(model: Model, run: RunModel): void {
  const closed = model.closedGate(run);
  promise(closed === undefined, () => `run ${run.number} of queue ${run.queue}, key "${run.key}" starts past ${closed}`);
}

function inOrder(model: Model, run: RunModel, now: number): void {
  const other = model.overtaken(run, now);
  promise(
    other === undefined,
    () => `run ${run.number} starts before run ${other?.number}, which is ahead of it in its queue (${run.queue}, key "${run.key}") and could start`,
  );
}
