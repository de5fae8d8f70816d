import { AsyncResource } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { type RunResults, RunService, type TriggerOutcomes, TriggerStreamRequestSchema } from "#gen/runlane/v1/run_service_pb.js";
import { AwaitedRuns } from "./awaited-runs.js";
import { type Backoff, createBackoff } from "./backoff.js";
import type { ConnectionSource } from "./connection-source.js";
import { type FrameStream, openFrameStream } from "./frame-stream.js";
import type { GrpcConnection } from "./grpc-connection.js";
import { errorInfoOf, errorOfStatus, retryDelayOf } from "./grpc-error.js";
import type { LogPosition } from "./log-position.js";
import { runNotFound } from "./run-not-found.js";
import { type BatchWaiter, frameLimits, itemSize, TriggerFrame, type TriggerWaiter } from "./trigger-frame.js";
import { readTriggerStreamResponse } from "./trigger-stream-frames.js";
import { isUnconnected, unreachableError } from "./unreachable.js";

/** How a {@link TriggerStream} behaves. */
export interface TriggerStreamOptions {
  /** How long to try before a trigger, or a wait while the server is away, fails; in milliseconds. Default 60,000. */
  timeoutMs?: number;
  /** The same as long as the server has never answered, so that a wrong address is soon told. Default 10,000, and never more than `timeoutMs`. */
  firstContactMs?: number;
  /** Delays between attempts to connect. */
  backoff?: Backoff;
  /** Hears where the log holds what was told. */
  logPosition?: LogPosition;
}

/** How the client stands towards the server. */
type State =
  /** Nothing is under way and no call is open: nothing keeps the process alive. */
  | { readonly kind: "idle" }
  /** A call is open, or opening; frames are sent as they form. */
  | { readonly kind: "open"; readonly connection: GrpcConnection; readonly stream: FrameStream }
  /** The call broke while something was under way; the timer opens the next. */
  | { readonly kind: "backoff"; readonly timer: NodeJS.Timeout }
  /** Its user closed it. */
  | { readonly kind: "closed" };

// Frames on the way without an answer. More wait here, and grow, instead of being refused by a server that bounds what is uncommitted.
const maxUnanswered = 64;
// How often limits of time are looked at; an idle call is closed after one to two of these. Timers of each trigger's own would cost more than the trigger.
const tickMs = 100;
// The call and its timers outlive the code that triggers first, and serve others: they must not belong to its asynchronous context, which may be a request's or a run's.
const outside = new AsyncResource("runlane.TriggerStream");
// Codes that no repetition changes.
const permanent = new Set([Code.Unauthenticated, Code.PermissionDenied, Code.Unimplemented, Code.InvalidArgument, Code.ResourceExhausted]);

/**
 * Triggers tasks, and delivers their results, over one TriggerStream call to the server.
 *
 * All triggers of one turn of the event loop leave in one frame. A frame keeps its bytes until it is answered; when the call breaks, another is opened, unanswered
 * frames are sent again as they were, and the runs whose results are awaited are watched. The server knows a repeated frame by its request id, so a trigger
 * happens once, whatever the network does.
 */
export class TriggerStream {
  readonly #connections: ConnectionSource;
  readonly #timeoutMs: number;
  readonly #firstContactMs: number;
  readonly #backoff: Backoff;
  readonly #logPosition: LogPosition | undefined;
  readonly #idPrefix = randomBytes(12).toString("base64url");
  #frameCount = 0;
  #state: State = { kind: "idle" };
  #ticker: NodeJS.Timeout | undefined;
  #quietTicks = 0;
  #flushDue = false;
  /** The frame that triggers go into. It is sent when the turn is over and few enough frames are unanswered; until then it grows. */
  #forming: TriggerFrame | undefined;
  /** Full frames that were not sent so far, oldest first. */
  readonly #waiting: TriggerFrame[] = [];
  /** Frames that were sent, oldest first, by request id. */
  readonly #unanswered = new Map<string, TriggerFrame>();
  readonly #awaited = new AwaitedRuns();
  /** Runs of `#awaited` that the server must be told of. */
  #toWatch: string[] = [];
  /** Whether the server has ever answered. */
  #contacted = false;
  /** Whether a frame may have reached a server. */
  #reached = false;
  /** Since when the server is away. */
  #awaySince: number | undefined;
  #lastError: ConnectError | undefined;

  constructor(connections: ConnectionSource, options: TriggerStreamOptions = {}) {
    this.#connections = connections;
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#firstContactMs = Math.min(options.firstContactMs ?? 10_000, this.#timeoutMs);
    this.#backoff = options.backoff ?? createBackoff();
    this.#logPosition = options.logPosition;
  }

  /** Triggers a task. Never throws; `waiter` hears everything, later. */
  trigger(item: TriggerItem, waiter: TriggerWaiter): void {
    const size = itemSize(item);
    if (this.#forming && !this.#forming.takes(size)) {
      this.#waiting.push(this.#forming);
      this.#forming = undefined;
    }
    this.#forming ??= new TriggerFrame(this.#nextRequestId(), performance.now());
    this.#forming.add(item, size, waiter);
    this.#flushSoon();
  }

  /** Triggers a part of a batch: at most as many items as a frame may hold. Never throws; `waiter` hears everything, later. */
  triggerBatch(items: TriggerItem[], waiter: BatchWaiter): void {
    this.#waiting.push(new TriggerFrame(this.#nextRequestId(), performance.now(), { items, waiter }));
    this.#flushSoon();
  }

  /** Awaits the result of a run that exists. Returns a function that gives up waiting: the waiter then hears nothing more. */
  watch(runId: string, waiter: TriggerWaiter): () => void {
    this.#awaited.add(runId, waiter);
    this.#toWatch.push(runId);
    this.#flushSoon();
    return () => {
      if (this.#awaited.remove(runId, waiter) && this.#state.kind === "open") this.#state.stream.send(runsFrame("unwatch", [runId]));
    };
  }

  /** Ends the call and fails everything under way with CANCELED. */
  close(): void {
    this.#rest({ kind: "closed" });
    this.#failAll(closedError());
  }

  #nextRequestId(): string {
    this.#frameCount += 1;
    return `${this.#idPrefix}.${this.#frameCount.toString(36)}`;
  }

  // Not a microtask: the triggers of one turn often sit in continuations several microtasks apart, and answers that arrive in one poll of the sockets should
  // share a frame as well. Straight after polling it costs nothing in time.
  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    setImmediate(() => {
      this.#flushDue = false;
      outside.runInAsyncScope(() => this.#flush());
    });
  }

  #flush(): void {
    const { kind } = this.#state;
    if (kind === "closed") this.#failAll(closedError());
    else if (kind === "idle" && this.#isBusy()) this.#open();
    else if (kind === "open") this.#sendWhatIsNew();
  }

  #open(): void {
    let connection: GrpcConnection;
    try {
      connection = this.#connections.current();
    } catch (error) {
      this.#rest({ kind: "idle" });
      this.#failAll(error);
      return;
    }
    const stream = openFrameStream(connection, RunService.method.triggerStream, {
      onFrame: (bytes) => {
        if (this.#state === state) this.#receive(bytes);
      },
      onClose: (error) => {
        if (this.#state === state) this.#broken(connection, error);
      },
    });
    const state: State = { kind: "open", connection, stream };
    this.#state = state;
    this.#ticker ??= setInterval(() => this.#tick(), tickMs).unref();
    for (const frame of this.#unanswered.values()) stream.send(frame.bytes);
    this.#toWatch = this.#awaited.ids();
    this.#sendWhatIsNew();
  }

  #sendWhatIsNew(): void {
    if (this.#state.kind !== "open") return;
    const { stream } = this.#state;
    while (this.#toWatch.length > 0) stream.send(runsFrame("watch", this.#toWatch.splice(0, frameLimits.items)));
    while (this.#unanswered.size < maxUnanswered) {
      const frame = this.#waiting.shift() ?? this.#takeForming();
      if (!frame) return;
      this.#unanswered.set(frame.requestId, frame);
      stream.send(frame.bytes);
    }
  }

  #takeForming(): TriggerFrame | undefined {
    // Its turn is not over; the flush that is due will take it.
    if (this.#flushDue) return undefined;
    const frame = this.#forming;
    this.#forming = undefined;
    return frame;
  }

  #receive(bytes: Uint8Array): void {
    const frame = readTriggerStreamResponse(bytes);
    this.#contacted = true;
    this.#reached = true;
    this.#awaySince = undefined;
    this.#backoff.reset();
    if (frame.value) this.#logPosition?.note(frame.value.logPosition);
    if (frame.case === "outcomes") this.#answered(frame.value);
    else if (frame.case === "results") this.#finished(frame.value);
    this.#sendWhatIsNew();
  }

  #answered(answer: TriggerOutcomes): void {
    const frame = this.#unanswered.get(answer.requestId);
    if (!frame) return;
    if (answer.error) {
      const error = errorOfStatus(answer.error);
      if (error.code === Code.Unavailable) {
        this.#sendLater(frame, error);
        return;
      }
      this.#unanswered.delete(frame.requestId);
      frame.fail(error);
      return;
    }
    this.#unanswered.delete(frame.requestId);
    if (frame.batch) {
      frame.batch.answered(answer.outcomes, answer.batch);
      return;
    }
    // Items that were refused for the time being; they go into a frame of their own, because a repeated one is answered as before.
    const again: { index: number; error: ConnectError }[] = [];
    for (let index = 0; index < frame.waiters.length; index++) {
      const waiter = frame.waiters[index]!;
      const { outcome, cached = false } = answer.outcomes[index] ?? {};
      if (outcome?.case === "runId") {
        waiter.triggered(outcome.value, cached);
        if (waiter.awaitsResult) this.#awaited.add(outcome.value, waiter);
      } else if (outcome?.case === "error") {
        const error = errorOfStatus(outcome.value);
        if (error.code === Code.Unavailable) again.push({ index, error });
        else waiter.failed(error);
      } else {
        waiter.failed(unsaid());
      }
    }
    if (again.length > 0) this.#triggerAgain(frame, again);
  }

  #triggerAgain(frame: TriggerFrame, refused: { index: number; error: ConnectError }[]): void {
    const { items } = frame;
    const next = new TriggerFrame(this.#nextRequestId(), frame.since);
    for (const { index } of refused) next.add(items[index]!, 0, frame.waiters[index]!);
    this.#unanswered.set(next.requestId, next);
    this.#sendLater(next, refused[0]!.error);
  }

  /** Sends a frame when the delay that its refusal asks for has passed; if the call breaks meanwhile, the next one begins with it. */
  #sendLater(frame: TriggerFrame, refusal: ConnectError): void {
    frame.refusal = refusal;
    const delay = (retryDelayOf(refusal) ?? 200) * (1 + Math.random() / 2);
    setTimeout(() => {
      if (this.#state.kind === "open" && this.#unanswered.has(frame.requestId)) this.#state.stream.send(frame.bytes);
    }, delay);
  }

  #finished({ results, unknownRunIds }: RunResults): void {
    for (const result of results) this.#awaited.finish(result);
    for (const runId of unknownRunIds) this.#awaited.fail(runId, runNotFound(runId));
  }

  /** The call is over, and this side did not end it. */
  #broken(connection: GrpcConnection, error: ConnectError | undefined): void {
    this.#lastError = error;
    if (!error || !isUnconnected(error)) this.#reached = true;
    const answered = error !== undefined && errorInfoOf(error) !== undefined;
    // A refused key may have been replaced with the server's data folder; whoever is not a Runlane server may have taken the port of one that moved.
    const moved = error !== undefined && (!answered || error.code === Code.Unauthenticated) && this.#connections.renew(connection);
    if (error && permanent.has(error.code) && retryDelayOf(error) === undefined && !moved) {
      this.#rest({ kind: "idle" });
      this.#failAll(error);
      return;
    }
    if (!this.#isBusy()) {
      this.#rest({ kind: "idle" });
      return;
    }
    this.#awaySince ??= performance.now();
    const delay = Math.max(this.#backoff.next(), (error && retryDelayOf(error)) ?? 0);
    this.#state = { kind: "backoff", timer: setTimeout(() => this.#open(), delay) };
  }

  #tick(): void {
    const now = performance.now();
    if (this.#state.kind === "open") {
      if (this.#state.connection.isReady()) {
        this.#reached = true;
        this.#awaySince = undefined;
      } else {
        this.#awaySince ??= now;
      }
    }
    const limit = this.#contacted || this.#awaySince === undefined ? this.#timeoutMs : this.#firstContactMs;
    for (const frame of this.#unanswered.values()) {
      if (now - frame.since < limit) continue;
      this.#unanswered.delete(frame.requestId);
      const consequence = this.#reached ? "nobody can say whether the task was triggered" : "the task was not triggered";
      frame.fail(frame.refusal ?? this.#givenUp(consequence, limit));
    }
    for (;;) {
      const frame = this.#waiting[0] ?? this.#forming;
      if (!frame || now - frame.since < limit) break;
      if (this.#waiting.shift() === undefined) this.#forming = undefined;
      frame.fail(this.#givenUp("the task was not triggered", limit));
    }
    if (this.#awaited.size > 0 && this.#awaySince !== undefined && now - this.#awaySince >= limit) {
      for (const runId of this.#awaited.ids()) {
        this.#awaited.fail(runId, this.#givenUp(`the result of run ${runId} cannot be awaited; the run goes on`, limit));
      }
    }
    this.#quietTicks = this.#isBusy() ? 0 : this.#quietTicks + 1;
    if (this.#quietTicks >= 2) this.#rest({ kind: "idle" });
  }

  #givenUp(consequence: string, triedMs: number): ConnectError {
    const address = this.#connections.current().address.text;
    return unreachableError({
      address,
      triedMs,
      connected: this.#awaySince === undefined,
      contacted: this.#contacted,
      lastError: this.#lastError,
      consequence,
    });
  }

  #isBusy(): boolean {
    return this.#forming !== undefined || this.#waiting.length > 0 || this.#unanswered.size > 0 || this.#awaited.size > 0;
  }

  /** Ends the call, if one is open. An open call would keep the process alive. */
  #rest(state: State & { kind: "idle" | "closed" }): void {
    if (this.#state.kind === "closed") return;
    const before = this.#state;
    this.#state = state;
    if (before.kind === "open") before.stream.cancel();
    if (before.kind === "backoff") clearTimeout(before.timer);
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.#quietTicks = 0;
    this.#awaySince = undefined;
    this.#lastError = undefined;
  }

  #failAll(error: unknown): void {
    const frames = [...this.#unanswered.values(), ...this.#waiting];
    if (this.#forming) frames.push(this.#forming);
    this.#unanswered.clear();
    this.#waiting.length = 0;
    this.#forming = undefined;
    this.#toWatch = [];
    for (const frame of frames) frame.fail(error);
    for (const runId of this.#awaited.ids()) this.#awaited.fail(runId, error);
  }
}

function runsFrame(kind: "watch" | "unwatch", runIds: string[]): Uint8Array {
  return toBinary(TriggerStreamRequestSchema, create(TriggerStreamRequestSchema, { frame: { case: kind, value: { runIds } } }));
}

function unsaid(): ConnectError {
  return new ConnectError("the server did not say what became of the trigger", Code.Internal);
}

function closedError(): ConnectError {
  return new ConnectError("the client was closed", Code.Canceled);
}
