import type { Event, TasksDeclared, WaitBegan } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { assigned, enter, failed, finish, resumed, returned, succeeded } from "./attempts.js";
import { closeBatch, createBatch, forgetBatch } from "./batches.js";
import type { Grounds } from "./grounds.js";
import type { Model } from "./model.js";
import type { Observation } from "./observation.js";
import { isFinal, type RunModel } from "./run-model.js";
import { createRuns, partFault, rescheduled } from "./triggers.js";
import { promise } from "./violation.js";
import { endedWaits, followWaiting, hasEnded, park, tell } from "./wait-model.js";
import type { SessionModel } from "./worker-model.js";

/** How long a run waits for a worker of its version. */
const patienceMs = 5 * 60_000;

/** What following an event needs. */
export interface Following {
  readonly model: Model;
  readonly workers: Map<string, SessionModel>;
  readonly seen: Observation;
  readonly grounds: Grounds;
}

/** Checks that an event may happen, and lets it happen. */
export function follow(following: Following, { event }: Event): void {
  const { model, seen, grounds } = following;
  const { now, cause } = seen;
  model.clock += 1;
  switch (event.case) {
    case "environmentCreated":
    case "payloadStored":
    case "payloadDropped":
      return;
    case "runsCreated":
      return createRuns(following, event.value);
    case "versionCreated": {
      const { version } = event.value;
      promise(!model.versions.has(version), () => `version ${version} is created twice`);
      const record = { version, index: model.versions.size, setAside: false };
      model.versions.set(version, record);
      model.current = record;
      return;
    }
    case "versionPromoted": {
      const record = model.versions.get(event.value.version);
      promise(record !== undefined && cause.kind === "promote", () => `version ${event.value.version} is promoted, and nobody asked`);
      for (const other of model.versions.values()) if (other.index > record.index) other.setAside = true;
      record.setAside = false;
      model.current = record;
      return;
    }
    case "tasksDeclared":
      return declare(model, event.value);
    case "queuesDeclared":
      for (const queue of event.value.queues) model.queue(queue.name).declare(queue, now);
      for (const limit of event.value.limits) model.limit(limit.name).declare(limit);
      return;
    case "queueUpdated":
    case "limitUpdated":
    case "environmentUpdated":
      return govern(model, event, now, cause.kind === "govern");
    case "sessionOpened":
      return openSession(following, event.value);
    case "sessionEnded":
      return endSession(following, Number(event.value.session));
    case "runAssigned":
      return assigned(model, model.run(event.value.run), event.value, seen);
    case "runResumed":
      return resumed(model, model.run(event.value.run), event.value, seen);
    case "runsAccepted":
      for (const number of event.value.runs) {
        const run = model.run(number);
        promise(run.place === "assigned" && grounds.accepts.has(run), () => `run ${number} (${run.place}) counts as accepted, and its worker did not say so`);
        model.move(run, "executing", now);
      }
      return;
    case "runReturned":
      return returned(model, model.run(event.value.run), seen, grounds);
    case "attemptSucceeded":
      return succeeded(model, model.run(event.value.run), event.value, seen, grounds);
    case "attemptFailed":
      return failed(model, model.run(event.value.run), event.value, seen, grounds);
    case "retryDue":
      return due(model, model.run(event.value.run), now);
    case "waitBegan":
      return beginWait(following, model.run(event.value.run), event.value);
    case "runParked":
      return park(model, model.run(event.value.run), seen, grounds);
    case "entryRecorded":
      answer(model.run(event.value.run), event.value.commandId, "done");
      return followWaiting(model, event, seen, grounds);
    case "waitEnded":
    case "commandJournalled":
    case "tokenCreated":
    case "tokenCompleted":
    case "tokenForgotten":
      return followWaiting(model, event, seen, grounds);
    case "waitContinued": {
      const run = model.run(event.value.run);
      const asked = grounds.commands.get(run)?.some(({ commandId }) => commandId === event.value.commandId);
      promise(asked === true && run.place === "executing", () => `run ${run.number} (${run.place}) waits on, and its code did not ask for it`);
      answer(run, event.value.commandId, "done");
      return model.move(run, "waiting", now);
    }
    case "runCanceled":
      return cancel(following, model.run(event.value.run));
    case "cancelConfirmed": {
      const run = model.run(event.value.run);
      const told = grounds.confirms.has(run) || grounds.results.has(run) || grounds.mayLose(model, run);
      promise(
        told && (run.place === "canceling" || run.place === "cancelingIdle"),
        () => `the slot of run ${run.number} (${run.place}) is freed, and its code may still run`,
      );
      run.token = undefined;
      return model.move(run, "over", now);
    }
    case "commandAnswered": {
      const run = model.run(event.value.run);
      const asked = grounds.commands.get(run)?.find(({ commandId }) => commandId === event.value.commandId)?.command;
      promise(asked !== undefined && run.place !== "over", () => `run ${run.number} has a command answered that it did not give`);
      if (asked.case === "trigger" || asked.case === "triggerAndWait") {
        const { batch, items } = asked.value;
        const fault = batch && partFault(model, batch, items.length);
        const reason = event.value.refusal?.reason;
        promise(reason === fault, () => `a command of run ${run.number} is refused as ${reason}, not as ${fault}`);
      }
      return answer(run, event.value.commandId, event.value.refusal ? "refused" : "done");
    }
    case "runUpdated": {
      const [run, by] = [model.run(event.value.run), model.run(event.value.by)];
      // A cancelled run may say how far it came, until its code has ended.
      promise(run === by ? run.place !== "over" : !isFinal(run), () => `run ${run.number} has ended and is changed`);
      const asked = grounds.commands.get(by)?.some(({ commandId }) => commandId === event.value.commandId);
      promise(asked === true, () => `run ${run.number} is changed by run ${by.number}, whose code did not ask for it`);
      if (run === by || !by.commands.has(event.value.commandId)) answer(by, event.value.commandId, "done");
      return;
    }
    case "runUnbound": {
      const run = model.run(event.value.run);
      const there = [...model.streams.values()].some(({ session, draining }) => session.version === run.version && !draining);
      promise(!there, () => `run ${run.number} is let go from version ${run.version}, and a worker of it is there`);
      promise(now - run.readyMs >= patienceMs, () => `run ${run.number} is let go from version ${run.version} after ${now - run.readyMs} ms`);
      run.version = "";
      run.askedVersion = "";
      return;
    }
    case "runExpired": {
      const run = model.run(event.value.run);
      promise(run.place === "queued" && !run.started, () => `run ${run.number} expires while it is ${run.place}`);
      promise(run.expireMs > 0 && now >= run.expireMs, () => `run ${run.number} expires ${run.expireMs - now} ms too early`);
      return finish(model, run, RunState.EXPIRED, now);
    }
    case "runRescheduled":
      return rescheduled(following, event.value);
    case "idempotencyKeyEnded": {
      const { taskId, key } = event.value;
      const asked = cause.kind === "endKey" && cause.taskId === taskId && cause.key === key;
      promise(asked, () => `key ${key} of task ${taskId} is ended, and nobody asked for it`);
      return model.keys.end(taskId, key);
    }
    case "batchCreated":
      return createBatch(following, event.value);
    case "batchClosed":
      return closeBatch(following, event.value);
    case "batchForgotten":
      return forgetBatch(following, event.value);
    default:
      promise(false, () => `an event ${event.case} that the oracle does not know`);
  }
}

function declare(model: Model, event: TasksDeclared): void {
  const limits = new Map<string, number | undefined>();
  for (const declaration of event.tasks) {
    const before = wishes(model, declaration.id);
    const from = model.queueOf(declaration.id);
    model.tasks.set(declaration.id, { declaration });
    const { concurrency } = declaration;
    const own = model.limits.get(`task/${declaration.id}`);
    if (concurrency?.perKey !== undefined || concurrency?.total !== undefined || own?.declared)
      model.limit(`task/${declaration.id}`).declare(concurrency ?? {});
    const queue = model.queueOf(declaration.id);
    model.queue(queue).known = true;
    // Who came back to a queue that its task has left meanwhile stays there.
    const moved = before !== wishes(model, declaration.id);
    if (moved) for (const run of model.runs.values()) if (run.taskId === declaration.id && run.place === "queued") model.requeue(run, from);
    // Tasks that share a queue need not all repeat its limit.
    limits.set(queue, declaration.concurrencyLimit ?? limits.get(queue));
  }
  for (const [name, limit] of limits) if (!model.queue(name).declared) model.queue(name).perKey.base = limit;
}

/** Where a task's runs belong, in a word. */
function wishes(model: Model, taskId: string): string {
  const declaration = model.tasks.get(taskId)?.declaration;
  return [declaration !== undefined, declaration?.queue, declaration?.machine, ...model.limitsOf(taskId)].join("\n");
}

/** Somebody changes what may start. */
function govern(
  model: Model,
  event: Extract<Event["event"], { case: "queueUpdated" | "limitUpdated" | "environmentUpdated" }>,
  now: number,
  asked: boolean,
): void {
  if (event.case === "queueUpdated") {
    const { queue: name, paused, concurrencyLimit } = event.value;
    promise(asked, () => `queue ${name} is changed, and nobody asked for it`);
    const queue = model.queue(name);
    queue.paused = paused ?? queue.paused;
    return queue.perKey.change(concurrencyLimit);
  }
  if (event.case === "environmentUpdated") {
    const { paused, concurrencyLimit, burstFactor } = event.value;
    promise(asked, () => "the environment is changed, and nobody asked for it");
    model.environment.paused = paused ?? model.environment.paused;
    model.environment.burst = burstFactor ?? model.environment.burst;
    return model.environment.change(concurrencyLimit);
  }
  const { limit: name, paused, perKey, total, concurrencyKey: key, expireMs } = event.value;
  const limit = model.limit(name);
  const ended = key !== undefined && (limit.keys.get(key)?.expireMs ?? Number.POSITIVE_INFINITY) <= now;
  promise(asked || ended, () => `limit ${name} is changed, and nobody asked for it`);
  limit.paused = paused ?? limit.paused;
  limit.total.change(total);
  if (key === undefined) return limit.perKey.change(perKey);
  if (perKey?.change.case === "override") limit.keys.set(key, { override: perKey.change.value, expireMs: Number(expireMs) });
  else if (perKey?.change.case === "reset") limit.keys.delete(key);
}

function openSession({ model, workers, seen }: Following, event: Extract<Event["event"], { case: "sessionOpened" }>["value"]): void {
  promise(seen.cause.kind === "hello", () => "a session is opened, and no worker said Hello");
  const session: SessionModel = {
    number: Number(event.session),
    workerId: event.workerId,
    incarnation: event.incarnation,
    version: event.version,
    milliCpus: event.capacity?.milliCpus ?? 0,
    memoryMib: event.capacity?.memoryMib ?? 0,
    heardAt: seen.monotonic,
    connection: undefined,
  };
  promise(!model.sessions.has(session.number), () => `session ${session.number} is opened twice`);
  model.sessions.set(session.number, session);
  workers.set(session.workerId, session);
}

function endSession({ model, workers, seen, grounds }: Following, number: number): void {
  const session = model.sessions.get(number);
  promise(
    session !== undefined && grounds.ending.has(session),
    () => `session ${number} ends ${seen.monotonic - (session?.heardAt ?? 0)} ms after its worker was heard of`,
  );
  const left = [...model.runs.values()].find((run) => run.session === number);
  promise(left === undefined, () => `session ${number} ends and still holds run ${left?.number}`);
  if (session.connection) model.streams.delete(session.connection.streamId);
  model.sessions.delete(number);
  if (workers.get(session.workerId) === session) workers.delete(session.workerId);
}

function due(model: Model, run: RunModel, now: number): void {
  if (run.place === "delayed") {
    promise(now >= run.queueMs, () => `run ${run.number} enters its queue ${run.queueMs - now} ms too early`);
    model.follow(run);
    return enter(model, run, now);
  }
  promise(run.place === "backoff" || run.place === "resting", () => `run ${run.number} is retried while it is ${run.place}`);
  promise(now >= run.retryAtMs, () => `run ${run.number} is retried ${run.retryAtMs - now} ms too early`);
  model.move(run, run.place === "backoff" ? "rearmed" : "queued", now);
}

function beginWait({ model, seen, grounds }: Following, run: RunModel, event: WaitBegan): void {
  const { waitId, commandId } = event;
  promise(grounds.commands.has(run) && !isFinal(run), () => `run ${run.number} waits, and its code did not ask for it`);
  promise(!run.waits.has(waitId), () => `run ${run.number} waits twice under the id ${waitId}`);
  const [untilMs, token, children] = [Number(event.untilMs), Number(event.token), event.children.map(Number)];
  const asked = commandId > 0 ? grounds.commands.get(run)?.find((command) => command.commandId === commandId)?.command : undefined;
  if (asked?.case === "wait" && asked.value.condition.case === "forMs") {
    const leastMs = seen.now + Number(asked.value.condition.value);
    promise(untilMs >= leastMs, () => `run ${run.number} is to wait until ${untilMs}, and asked for ${leastMs}`);
  }
  promise(token === 0 || model.waitTokens.has(token), () => `run ${run.number} waits for token ${token}, which does not exist`);
  const wait = { children, untilMs, token, over: untilMs <= seen.now, delivered: false, commandId: 0, endedAt: 0, toldAt: 0 };
  run.waits.set(waitId, wait);
  if (commandId > 0) answer(run, commandId, "done");
  for (const child of children) model.run(child).waiters.add(run);
  const ended = hasEnded(model, wait);
  if (ended) wait.endedAt = model.clock;
  // What it waits for has ended: the code, which has its slots, hears of it at once.
  if (run.place === "executing" && ended) tell(model, wait);
  else if (run.place === "executing") model.move(run, "waiting", seen.now);
  if (run.place === "waiting" && endedWaits(model, run).length > 0) model.move(run, "resumable", seen.now);
}

function cancel({ model, seen }: Following, run: RunModel): void {
  const { cause, now } = seen;
  promise(cause.kind === "cancel" && isDescendant(model, run, cause.run), () => `run ${run.number} is cancelled, and nobody asked for it`);
  const place = run.place === "waiting" || run.place === "resumable" ? "cancelingIdle" : run.session !== undefined ? "canceling" : "over";
  run.waits.clear();
  run.commands.clear();
  finish(model, run, RunState.CANCELED, now, place);
}

function isDescendant(model: Model, run: RunModel, ancestor: number): boolean {
  for (let each: RunModel | undefined = run; each; each = model.runs.get(each.parent)) if (each.number === ancestor) return true;
  return false;
}

function answer(run: RunModel, commandId: number, what: string): void {
  promise(!run.commands.has(commandId), () => `command ${commandId} of run ${run.number} is answered twice`);
  run.commands.set(commandId, what);
}
