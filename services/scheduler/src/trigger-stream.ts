import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { type BidiListener, type BidiStream, invalidFields, type Logger, payloadBytes, refusal, refusalOf, statusOf } from "@runlane/platform";
import type { RunResult, TriggerOutcome } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { TriggerFrame, TriggerStreamRequest, TriggerStreamResponseSchema, WatchFrame } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { limits } from "./limits.js";
import type { OwnerClient } from "./owner-client.js";
import type { ResultListener, Subscriptions } from "./subscriptions.js";
import { trigger } from "./triggering.js";
import { frameBytes, frameFault, looksLikeRunId } from "./validation.js";

/** Frames that may wait for the owner's answer on one stream; at this point the stream is not read until some are answered. */
const mostFrames = 64;
const mostFrameBytes = 16 * 1024 * 1024;

/** Bytes of results that are sent although the client has a megabyte to read; the others are asked for again once it has read. Far less than what gets a client cut off. */
const mostUnreadBytes = 8 * 1024 * 1024;

/** A frame of results is closed at this size: a client's default limit for one message is 4 MiB. */
const resultFrameBytes = 512 * 1024;

/** What all streams of a scheduler share. */
export interface TriggerStreamSurroundings {
  readonly owner: OwnerClient;
  readonly subscriptions: Subscriptions;
  /** Address at which this scheduler serves SubscriberService. */
  readonly subscriber: string;
  readonly logger: Logger;
  /** The streams that are not over. */
  readonly streams: Set<TriggerStream>;
}

/**
 * One stream of TriggerStream. Frames go to the owner as they come, several at a time; results of one notification leave in one frame.
 *
 * Whatever a stream holds is bounded: it stops reading while too many frames wait for the owner or its client does not read answers, and it leaves results with
 * the owner while its client does not read them.
 */
export class TriggerStream implements BidiListener<TriggerStreamRequest>, ResultListener {
  readonly environment: string;
  readonly #stream: BidiStream<MessageInitShape<typeof TriggerStreamResponseSchema>>;
  readonly #around: TriggerStreamSurroundings;
  /** Frames, and their bytes, that wait for the owner. */
  #frames = 0;
  #bytes = 0;
  /** Runs whose results are awaited. */
  #open = 0;
  #paused = false;
  /** The client does not read what it is sent; how much was sent nevertheless. */
  #full = false;
  #unread = 0;
  #ended = false;
  #draining = false;
  #closed = false;
  /** Leave together at the end of this turn. */
  #results: RunResult[] = [];
  #unknown: string[] = [];
  #flushing = false;
  /** Runs whose results there was no room for. */
  #postponed: string[] = [];

  constructor(stream: BidiStream<MessageInitShape<typeof TriggerStreamResponseSchema>>, environment: string, around: TriggerStreamSurroundings) {
    this.#stream = stream;
    this.environment = environment;
    this.#around = around;
    around.streams.add(this);
  }

  onMessage({ frame }: TriggerStreamRequest): void {
    switch (frame.case) {
      case "trigger":
        void this.#trigger(frame.value);
        break;
      case "watch":
        void this.#watch(frame.value);
        break;
      case "unwatch":
        this.#open -= this.#around.subscriptions.unwatchResults(frame.value.runIds, this);
        this.#endIfDone();
        break;
      default: // of a newer client: ignored, as the contract says
    }
  }

  /** The client asks for nothing more: the stream ends when everything is answered. */
  onEnd(): void {
    this.#ended = true;
    this.#endIfDone();
  }

  /** Takes no more frames, and ends once those that have come are answered: the client sends the others to another server, and asks there for what it awaits. */
  drain(): void {
    this.#draining = true;
    this.#stream.pause();
    this.#endIfDone();
  }

  onDrain(): void {
    this.#full = false;
    this.#unread = 0;
    this.#resumeIfRoom();
    const postponed = this.#postponed;
    if (postponed.length === 0) return;
    this.#postponed = [];
    void this.#around.subscriptions.ask(postponed, this);
  }

  onClose(): void {
    this.#closed = true;
    this.#around.streams.delete(this);
    this.#results = [];
    this.#postponed = [];
    if (this.#open > 0) this.#around.subscriptions.unwatchAll(this);
  }

  take(result: RunResult): boolean {
    if (this.#full) {
      if (this.#unread > mostUnreadBytes) {
        this.#postponed.push(result.runId);
        return false;
      }
      this.#unread += resultBytes(result);
    }
    this.#open--;
    this.#results.push(result);
    this.#flushSoon();
    return true;
  }

  unknown(runId: string): void {
    this.#open--;
    this.#unknown.push(runId);
    this.#flushSoon();
  }

  async #trigger(frame: TriggerFrame): Promise<void> {
    const { requestId } = frame;
    const bytes = frameBytes(frame.items, frame.batch !== undefined);
    const fault = frameFault(frame, bytes, true);
    if (fault) return this.#refuse(requestId, fault);
    const { owner, subscriptions, subscriber, logger } = this.#around;
    const awaits = frame.awaitResults.length > 0;
    this.#began(bytes);
    if (awaits) subscriptions.registrationBegan();
    try {
      const triggered = await trigger(owner, { environment: this.environment, subscriber }, frame);
      const { outcomes } = triggered;
      this.#send({ frame: { case: "outcomes", value: { $typeName: "runlane.v1.TriggerOutcomes", requestId, ...triggered } } });
      // Only now: a result that is there already must not overtake its outcome.
      if (awaits) this.#awaitResults(frame.awaitResults, outcomes);
    } catch (error) {
      this.#refuse(requestId, refusalOf(error, logger, "TriggerStream"));
    } finally {
      if (awaits) subscriptions.registrationEnded();
      this.#answered(bytes);
    }
  }

  #awaitResults(indexes: number[], outcomes: TriggerOutcome[]): void {
    const { subscriptions } = this.#around;
    const orphans: string[] = [];
    for (const index of indexes) {
      const outcome = outcomes[index]?.outcome;
      if (outcome?.case !== "runId") continue;
      if (this.#closed) {
        orphans.push(outcome.value);
        continue;
      }
      this.#open++;
      if (!subscriptions.awaitResult(outcome.value, this)) this.#open--;
    }
    if (orphans.length > 0) subscriptions.discard(this.environment, orphans);
  }

  async #watch({ runIds }: WatchFrame): Promise<void> {
    const { subscriptions } = this.#around;
    if (runIds.length > limits.watchedRuns) {
      const description = `must have at most ${limits.watchedRuns} entries, has ${runIds.length}`;
      return this.#stream.end(invalidFields([{ field: "watch.run_ids", description }]));
    }
    for (const runId of runIds) {
      if (!looksLikeRunId(runId)) {
        this.#unknown.push(runId);
        this.#flushSoon();
      } else if (subscriptions.addResult(runId, this)) this.#open++;
    }
    this.#began(0);
    await subscriptions.ask(runIds, this);
    this.#answered(0);
  }

  #refuse(requestId: string, error: ConnectError): void {
    this.#send({ frame: { case: "outcomes", value: { requestId, error: statusOf(error) } } });
  }

  #send(response: MessageInitShape<typeof TriggerStreamResponseSchema>): void {
    if (this.#stream.send(response)) return;
    this.#full = true;
    this.#pauseIfFull();
  }

  #began(bytes: number): void {
    this.#frames++;
    this.#bytes += bytes;
    this.#pauseIfFull();
  }

  #answered(bytes: number): void {
    this.#frames--;
    this.#bytes -= bytes;
    this.#resumeIfRoom();
    this.#endIfDone();
  }

  #hasRoom(): boolean {
    return !this.#full && this.#frames < mostFrames && this.#bytes < mostFrameBytes;
  }

  #pauseIfFull(): void {
    if (this.#paused || this.#hasRoom()) return;
    this.#paused = true;
    this.#stream.pause();
  }

  #resumeIfRoom(): void {
    if (this.#draining || !this.#paused || !this.#hasRoom()) return;
    this.#paused = false;
    this.#stream.resume();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#closed) return;
    const results = this.#results;
    const unknownRunIds = this.#unknown;
    const { logPosition } = this.#around.subscriptions;
    this.#results = [];
    this.#unknown = [];
    let start = 0;
    for (let end = 0, bytes = 0; end < results.length; end++) {
      bytes += resultBytes(results[end]!);
      if (end > start && (bytes > resultFrameBytes || end - start >= limits.items)) {
        this.#send({
          frame: { case: "results", value: { $typeName: "runlane.v1.RunResults", results: results.slice(start, end), unknownRunIds: [], logPosition } },
        });
        start = end;
        bytes = resultBytes(results[end]!);
      }
    }
    const rest = start === 0 ? results : results.slice(start);
    this.#send({ frame: { case: "results", value: { $typeName: "runlane.v1.RunResults", results: rest, unknownRunIds, logPosition } } });
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#frames > 0 || this.#flushing) return;
    if (this.#ended && this.#open === 0) this.#stream.end();
    else if (this.#draining) this.#stream.end(refusal("DRAINING", "the server is stopping"));
  }
}

/** About as many bytes as the result takes on the wire. */
function resultBytes({ output, failure }: RunResult): number {
  const rough = 64 + (output ? payloadBytes(output) : 0);
  return failure ? rough + 4 * (failure.message.length + failure.stackTrace.length) + (failure.raw ? payloadBytes(failure.raw) : 0) : rough;
}
