import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Grounds } from "./grounds.js";
import type { Model } from "./model.js";
import type { Observation } from "./observation.js";
import { isFinal, type RunModel, type WaitModel } from "./run-model.js";
import { promise } from "./violation.js";

/** How long tokens are kept after their end. */
export const tokenRetentionMs = 30 * 24 * 3_600_000;
/** How long a worker has to accept. */
const acceptMs = 5_000;

/** Something that somebody is to complete. */
export interface TokenModel {
  readonly timeoutMs: number;
  readonly timer: boolean;
  state: "open" | "completed" | "timed out";
  endMs: number;
  /** What it was completed with, in hexadecimal. */
  output: string;
}

/** Whether all that a wait is for has come. */
export function hasEnded(model: Model, { children, untilMs, token, over }: WaitModel): boolean {
  return (untilMs === 0 || over) && (token === 0 || model.waitTokens.get(token)?.state !== "open") && children.every((child) => isFinal(model.run(child)));
}

/** The waits of a run that have ended and whose results its worker has not got. */
export function endedWaits(model: Model, run: RunModel): number[] {
  return [...run.waits].filter(([, wait]) => !wait.delivered && hasEnded(model, wait)).map(([id]) => id);
}

/** Something that runs wait for has ended: whoever waits is woken, and whoever executes is told. */
export function wake(model: Model, run: RunModel, now: number): void {
  const ended = endedWaits(model, run);
  for (const id of ended) (run.waits.get(id) as WaitModel).endedAt ||= model.clock;
  if (ended.length === 0) return;
  if (run.place === "waiting") model.move(run, "resumable", now);
  else if (run.place === "parked") model.move(run, "revived", now);
  else if (run.place === "executing" || run.place === "assigned") for (const id of ended) tell(model, run.waits.get(id) as WaitModel);
}

/** The end of a wait goes to the worker. */
export function tell(model: Model, wait: WaitModel): void {
  wait.delivered = true;
  wait.toldAt = model.clock;
}

/** Whether nothing would be lost if the code ran again up to where it waits: the journal has every wait whose end it has not seen. */
export function canGoOn(model: Model, run: RunModel): boolean {
  const waits = [...run.waits.values()];
  return (
    !model.tasks.get(run.taskId)?.declaration.restartOnWorkerLoss && waits.length > 0 && waits.every(({ commandId, delivered }) => delivered || commandId > 0)
  );
}

/** A run has lost its worker, and is to go on elsewhere. */
export function park(model: Model, run: RunModel, { now, monotonic, cause }: Observation, grounds: Grounds): void {
  const unaccepted = cause.kind === "tick" && run.place === "assigned" && run.leftAt !== undefined && monotonic - run.leftAt >= acceptMs;
  const released = grounds.results.get(run)?.outcome.case === "release";
  promise(
    unaccepted || released || grounds.mayLose(model, run) || grounds.returns.has(run),
    () => `run ${run.number} (${run.place}) leaves its worker, which has it`,
  );
  promise(run.place !== "assigned" || run.resumed, () => `run ${run.number} never began, and is to go on`);
  const waits = run.place === "waiting" || run.place === "resumable" || run.place === "assigned" || run.place === "executing";
  promise(
    waits && (run.place === "assigned" || canGoOn(model, run)),
    () => `run ${run.number} (${run.place}) is to go on from a journal that does not say where it was`,
  );
  if (run.place === "executing") {
    const unseen = [...run.waits.values()].every(({ commandId }) => commandId > 0);
    promise(unseen, () => `run ${run.number} executes, and is to go on from a wait`);
  }
  const ready = run.place !== "waiting";
  for (const id of [...run.commands.keys()]) if (!run.journal.has(id)) run.commands.delete(id);
  for (const [id, { commandId }] of [...run.waits]) if (commandId === 0) run.waits.delete(id);
  run.token = undefined;
  run.resumed = false;
  model.move(run, "parked", now);
  if (ready) model.move(run, "revived", now);
}

/** Follows what concerns tokens, times and records. */
export function followWaiting(model: Model, event: Event["event"], { now, cause }: Observation, grounds: Grounds): void {
  switch (event.case) {
    case "waitEnded": {
      const run = model.run(event.value.run);
      const wait = run.waits.get(event.value.waitId);
      promise(
        wait !== undefined && wait.untilMs > 0 && !wait.over,
        () => `run ${run.number} does not wait for a time in wait ${event.value.waitId}, which ends`,
      );
      promise(now >= wait.untilMs, () => `wait ${event.value.waitId} of run ${run.number} ends ${wait.untilMs - now} ms too early`);
      wait.over = true;
      return wake(model, run, now);
    }
    case "tokenCreated": {
      const { number, timeoutMs, timer } = event.value;
      promise(cause.kind === "createToken" && !cause.cached, () => `token ${number} is created, and nobody asked for it`);
      model.waitTokens.set(Number(number), { timeoutMs: Number(timeoutMs), timer, state: "open", endMs: 0, output: "" });
      return;
    }
    case "tokenCompleted": {
      const { number, output, timedOut } = event.value;
      const token = model.waitTokens.get(Number(number));
      promise(token?.state === "open", () => `token ${number} is ${token?.state}, and ends again`);
      const asked = cause.kind === "completeToken" && cause.token === Number(number) && !timedOut;
      const late = (cause.kind === "tick" || cause.kind === "begin") && token.timeoutMs > 0 && now >= token.timeoutMs && timedOut === !token.timer && !output;
      promise(asked || late, () => `token ${number} ends at ${now} (timed out: ${timedOut}), and nobody completed it; its time is ${token.timeoutMs}`);
      token.state = timedOut ? "timed out" : "completed";
      token.endMs = now;
      token.output = output ? Buffer.from(output.data).toString("hex") : "";
      for (const run of model.runs.values()) if ([...run.waits.values()].some((wait) => wait.token === Number(number))) wake(model, run, now);
      return;
    }
    case "tokenForgotten": {
      const token = model.waitTokens.get(Number(event.value.number));
      promise(
        token !== undefined && token.state !== "open" && now - token.endMs >= tokenRetentionMs,
        () => `token ${event.value.number} is forgotten too early`,
      );
      return;
    }
    case "entryRecorded": {
      const { commandId, output } = event.value;
      const run = model.run(event.value.run);
      const asked = grounds.commands.get(run)?.find((command) => command.commandId === commandId)?.command;
      promise(asked?.case === "record", () => `run ${run.number} has a step recorded, and its code did not ask for it`);
      promise(!run.journal.has(commandId), () => `command ${commandId} of run ${run.number} is recorded twice`);
      const text = output && Buffer.from(output.data).toString("hex");
      run.journal.set(commandId, { waitId: 0, text, isRecord: true, answeredAt: model.clock });
      return;
    }
    case "commandJournalled": {
      const { commandId, waitId } = event.value;
      const run = model.run(event.value.run);
      promise(
        run.commands.has(commandId) && !run.journal.has(commandId),
        () => `command ${commandId} of run ${run.number} is in the journal twice, or has no answer`,
      );
      run.journal.set(commandId, { waitId, text: undefined, isRecord: false, answeredAt: model.clock });
      const wait = run.waits.get(waitId);
      promise(waitId === 0 || wait !== undefined, () => `the journal of run ${run.number} has wait ${waitId}, which it does not wait in`);
      if (wait) wait.commandId = commandId;
      return;
    }
    default:
      promise(false, () => `an event ${event.case} that the oracle does not know`);
  }
}
