import { Answers } from "./answers.js";
import { retentionMs, sealMs } from "./batch-model.js";
import { follow } from "./follow.js";
import { Grounds } from "./grounds.js";
import { Messages } from "./messages.js";
import { Model } from "./model.js";
import type { Observation } from "./observation.js";
import { isFinal, isWithWorker, type RunModel } from "./run-model.js";
import { Turns } from "./turns.js";
import { promise } from "./violation.js";
import type { SessionModel } from "./worker-model.js";

/** How long a worker may be silent. */
export const leaseMs = 10_000;
/** How long it may take to accept. */
const acceptMs = 5_000;

/**
 * Judges an engine by what can be seen of it: the events that it logs, and the frames and commands that they answer. It keeps a model of its own of runs, queues, keys and limits, made of
 * events alone, and breaks off with a {@link Violation} when something happens that was promised not to, or does not happen that was.
 */
export class Oracle {
  readonly model = new Model();
  /** The newest session of each worker. */
  readonly #workers = new Map<string, SessionModel>();
  readonly #messages = new Messages(this.model);
  readonly #turns = new Turns(this.model);
  readonly #answers = new Answers(this.model);
  /** Hears of every observation before it is judged. */
  heard: ((seen: Observation) => void) | undefined;

  /** Takes what is on disk now, in the order of the log. `leftAt` says when its messages left, on the monotonic clock; undefined if they never did. */
  observe(seen: Observation, leftAt: number | undefined): void {
    const { model } = this;
    this.heard?.(seen);
    const grounds = new Grounds(model, this.#workers, seen.cause, seen.monotonic, leaseMs);
    for (const event of seen.events) {
      this.#turns.before(event);
      follow({ model, workers: this.#workers, seen, grounds }, event);
    }
    this.#connect(seen);
    this.#messages.check(seen, grounds);
    for (const { event } of seen.events) if (event.case === "runAssigned") model.run(event.value.run).leftAt = leftAt;
    const { cause } = seen;
    this.#answers.check(seen);
    if (cause.kind === "cancel") this.#canceled(cause.run);
    if (cause.kind !== "place") return;
    this.#busy(seen.now);
    this.#turns.after(seen.now);
    if (cause.rested) this.#nothingOverdue(seen);
  }

  /** The owner is gone; what was not on disk never happened. Another begins at this time. */
  ownerLost(monotonic: number): void {
    this.model.streams.clear();
    for (const session of this.model.sessions.values()) {
      session.connection = undefined;
      session.heardAt = monotonic;
    }
    // What was on its way is told again, or taken back, when its worker says Hello.
    for (const run of this.model.runs.values()) run.leftAt = undefined;
    this.#messages.ownerLost();
    this.#turns.forget();
  }

  /** The story is over: everything has ended, and nothing is held. */
  end(): void {
    for (const run of this.model.runs.values()) {
      promise(
        run.place === "over",
        () => `in the end run ${run.number} is ${run.place}${run.place === "queued" ? ` in queue ${run.queue}, key "${run.key}"` : ""}`,
      );
      for (const gate of this.model.gatesOf(run)) promise(this.model.held(gate) === 0, () => `in the end ${this.model.held(gate)} slots of ${gate} are held`);
    }
  }

  #connect({ cause, monotonic, ends }: Observation): void {
    const { model } = this;
    if (cause.kind === "hello") {
      const { hello, streamId } = cause;
      if (ends.some((end) => end.streamId === streamId)) return;
      const session = this.#workers.get(hello.workerId);
      promise(session?.incarnation === hello.incarnation, () => `worker ${hello.workerId} said Hello and has no session`);
      if (session.connection) model.streams.delete(session.connection.streamId);
      session.heardAt = monotonic;
      session.connection = { streamId, session, tasks: new Set(hello.tasks.map(({ id }) => id)), slots: hello.slots, draining: false };
      model.streams.set(streamId, session.connection);
      this.#turns.forget();
    } else if (cause.kind === "frame") {
      const connection = model.streams.get(cause.streamId);
      promise(connection !== undefined, () => "a frame of a stream that is not open was handled");
      connection.session.heardAt = monotonic;
      if (cause.request.drain) connection.draining = true;
    } else if (cause.kind === "closed") {
      const connection = model.streams.get(cause.streamId);
      if (!connection) return;
      model.streams.delete(cause.streamId);
      connection.session.connection = undefined;
    }
  }

  /** A cancelled run and everything that it triggered have ended. */
  #canceled(number: number): void {
    const run = this.model.run(number);
    promise(isFinal(run), () => `run ${number} was cancelled and is ${run.place}`);
    for (const child of run.children) this.#canceled(child);
  }

  /** Nothing that could go on stands still. */
  #busy(now: number): void {
    for (const lane of this.model.lanes.values()) {
      for (const run of lane) {
        // Due times round up: what a rate allowed within the last two milliseconds may start in the next.
        const idle = this.model.couldStart(run, now, 2) && !this.model.isHeldByRate(run.queue, now);
        promise(!idle, () => `run ${run.number} (${run.place}, task ${run.taskId}, queue ${run.queue}, key "${run.key}") stands still, though it could go on`);
      }
    }
  }

  #nothingOverdue({ now, monotonic }: Observation): void {
    const late = [...this.model.runs.values()].find((run) => this.#isOverdue(run, now, monotonic));
    promise(late === undefined, () => `run ${late?.number} is ${late?.place} still, though its time has come`);
    for (const batch of this.model.batches.values()) {
      const due = batch.state === "open" ? batch.createMs + sealMs : (this.model.endOf(batch) ?? Number.POSITIVE_INFINITY) + retentionMs;
      promise(due > now, () => `batch ${batch.number} is ${batch.state} still, though its time is over`);
    }
    for (const [number, { state, timeoutMs }] of this.model.waitTokens) {
      promise(state !== "open" || timeoutMs === 0 || timeoutMs > now, () => `token ${number} is open still, though its time is over`);
    }
    for (const [name, limit] of this.model.limits) {
      for (const [key, { expireMs }] of limit.keys) promise(expireMs > now, () => `the override of key "${key}" of limit ${name} holds on after its end`);
    }
    for (const session of this.model.sessions.values()) {
      promise(monotonic - session.heardAt < leaseMs, () => `session ${session.number} goes on ${monotonic - session.heardAt} ms after its worker was heard of`);
    }
  }

  #isOverdue(run: RunModel, now: number, monotonic: number): boolean {
    if ([...run.waits.values()].some(({ untilMs, over }) => untilMs > 0 && !over && untilMs <= now)) return true;
    if (run.place === "delayed") return run.queueMs <= now;
    if (run.place === "backoff" || run.place === "resting") return run.retryAtMs <= now;
    if (run.place === "queued" && !run.started) return run.expireMs > 0 && run.expireMs <= now;
    const connected = isWithWorker.has(run.place) && this.model.sessions.get(run.session ?? 0)?.connection;
    return run.place === "assigned" && Boolean(connected) && run.leftAt !== undefined && monotonic - run.leftAt > acceptMs;
  }
}
