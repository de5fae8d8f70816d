import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { type BidiStream, invalidFields, refusal } from "@runlane/platform";
import {
  type AttemptResult,
  type Heartbeat,
  type HeartbeatResponse,
  HeartbeatResponseSchema,
  type PollResponse,
  PollResponseSchema,
  type ResultReceipt,
  type WorkRequest,
  WorkRequestSchema,
  type WorkResponse,
  WorkResponseSchema,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { Pending } from "./pending.js";
import type { WorkerStream } from "./worker-stream.js";

/** How long answers of the owner are waited for, in milliseconds. */
const polledLimits = {
  /** Welcome, after a Hello; then the poll answers without one. */
  welcomeMs: 5_000,
  heartbeatMs: 5_000,
  receiptsMs: 10_000,
} as const;

/** About how many bytes a response gathers. */
const responseBytes = 512 * 1024;
/** A worker that lets this many bytes wait is cut off, as the listener does with those that hold a stream. */
const mostWaitingBytes = 32 * 1024 * 1024;

/** Receipts that a report waits for. */
interface Report {
  readonly left: Set<string>;
  readonly receipts: ResultReceipt[];
  readonly pending: Pending<ResultReceipt[]>;
}

/**
 * The server's end of a stream whose worker polls: what the owner says waits here until it is asked for. To {@link WorkerStream} it is a stream like any other.
 *
 * The last response is kept until the next poll says that it has arrived. So no word of the owner's is lost with a response, and none needs to be counted twice.
 */
export class PolledStream implements BidiStream<Uint8Array> {
  /** When the last call ended, on the monotonic clock in milliseconds; undefined while one is under way. */
  idleSince: number | undefined = performance.now();
  readonly #waiting: { readonly frame: WorkResponse; readonly bytes: number }[] = [];
  readonly #heartbeats = new Map<bigint, Pending<HeartbeatResponse>>();
  readonly #reports = new Set<Report>();
  #stream!: WorkerStream;
  #over = () => {};
  #calls = 0;
  #waitingBytes = 0;
  #number = 0n;
  #last: PollResponse | undefined;
  #poll: Pending<void> | undefined;
  #end: { readonly error: unknown } | undefined;

  /** Says which stream's end it is, and who hears when it is over; before anything else. */
  serve(stream: WorkerStream, over: () => void): void {
    this.#stream = stream;
    this.#over = over;
  }

  get open(): boolean {
    return this.#end === undefined;
  }

  /** Takes a frame of the worker, and gives the next one for it, within `waitMs`. */
  async poll(received: bigint, frame: WorkRequest | undefined, waitMs: number, signal: AbortSignal): Promise<PollResponse> {
    return await this.#call(async () => {
      if (frame?.hello) this.#forget();
      else if (received !== this.#number && (received !== this.#number - 1n || this.#last === undefined)) {
        throw invalidFields([{ field: "received", description: `must be the number of the last response, ${this.#number}, or of the one before` }]);
      }
      this.#poll?.reject(refusal("POLL_SUPERSEDED", "a later poll of the stream has taken the place of this one"));
      if (frame) this.#take(frame);
      if (this.#last && received !== this.#number) return this.#last;
      this.#last = undefined;
      if (this.#waiting.length === 0) {
        const poll = new Pending<void>(frame?.hello ? polledLimits.welcomeMs : waitMs, signal, () => undefined);
        this.#poll = poll;
        await poll.settled.finally(() => {
          if (this.#poll === poll) this.#poll = undefined;
        });
      }
      return this.#respond();
    });
  }

  /** Renews the lease. */
  async heartbeat(heartbeat: Heartbeat, signal: AbortSignal): Promise<HeartbeatResponse> {
    return await this.#call(async () => {
      if (this.#stream.state === "asking") return create(HeartbeatResponseSchema, { helloAgain: true });
      const pending = new Pending<HeartbeatResponse>(polledLimits.heartbeatMs, signal, ownerIsSilent);
      this.#heartbeats.set(heartbeat.sequence, pending);
      try {
        this.#take(create(WorkRequestSchema, { heartbeat }));
        return await pending.settled;
      } finally {
        this.#heartbeats.delete(heartbeat.sequence);
      }
    });
  }

  /** Passes results on, and waits for their receipts. */
  async report(results: AttemptResult[], cancelConfirmed: Uint8Array[], signal: AbortSignal): Promise<ResultReceipt[]> {
    return await this.#call(async () => {
      if (this.#stream.state === "asking") throw helloRequired();
      const left = new Set([...results.map(({ token }) => keyOf(token)), ...cancelConfirmed.map(keyOf)]);
      const report: Report = { left, receipts: [], pending: new Pending<ResultReceipt[]>(polledLimits.receiptsMs, signal, ownerIsSilent) };
      this.#reports.add(report);
      try {
        this.#take(create(WorkRequestSchema, { results, cancelConfirmed }));
        return await report.pending.settled;
      } finally {
        this.#reports.delete(report);
      }
    });
  }

  send(bytes: Uint8Array): boolean {
    if (!this.open) return false;
    const frame = fromBinary(WorkResponseSchema, bytes);
    this.#answerHeartbeat(frame);
    this.#answerReports(frame);
    if (isEmpty(frame)) return true;
    this.#waiting.push({ frame, bytes: bytes.length });
    this.#waitingBytes += bytes.length;
    this.#poll?.resolve();
    if (this.#waitingBytes > mostWaitingBytes) this.end(refusal("OVERLOADED", "the worker does not poll as fast as the server has something to say"));
    return true;
  }

  end(error?: unknown): void {
    if (!this.open) return;
    this.#end = { error: error ?? refusal("STREAM_UNKNOWN", "the stream has ended; poll without stream_id, with a Hello") };
    for (const pending of [this.#poll, ...this.#heartbeats.values(), ...[...this.#reports].map((report) => report.pending)]) pending?.reject(this.#end.error);
    this.#over();
    this.#stream.onClose();
  }

  // Each call waits for its answer, so a worker cannot send faster than the owner takes.
  pause(): void {}
  resume(): void {}

  async #call<T>(task: () => Promise<T>): Promise<T> {
    if (this.#end) throw this.#end.error;
    this.#calls += 1;
    this.idleSince = undefined;
    try {
      return await task();
    } finally {
      this.#calls -= 1;
      if (this.#calls === 0) this.idleSince = performance.now();
    }
  }

  /** Hands a frame of the worker on. What is wrong with it ends the stream, as it would end any. */
  #take(frame: WorkRequest): void {
    try {
      this.#stream.onMessage(toBinary(WorkRequestSchema, frame));
    } catch (error) {
      this.end(error);
      throw error;
    }
  }

  #respond(): PollResponse {
    const frame = this.#gather();
    this.#number += 1n;
    this.#last = create(PollResponseSchema, { streamId: this.#stream.id, number: this.#number, ...(frame ? { frame } : {}) });
    return this.#last;
  }

  /** As many of the waiting frames as one may hold. A Welcome is its frame's first item, and nothing is said after hello_again. */
  #gather(): WorkResponse | undefined {
    const first = this.#waiting.shift();
    if (!first) return undefined;
    let { bytes } = first;
    for (let next = this.#waiting[0]; next && bytes + next.bytes <= responseBytes; next = this.#waiting[0]) {
      if (next.frame.welcome || first.frame.helloAgain) break;
      append(first.frame, next.frame);
      bytes += next.bytes;
      this.#waiting.shift();
    }
    this.#waitingBytes -= bytes;
    return first.frame;
  }

  /** A Hello begins anew: what was said before it is of an earlier session of the stream. */
  #forget(): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#last = undefined;
  }

  #answerHeartbeat(frame: WorkResponse): void {
    const { cancels, lost } = frame;
    if (frame.helloAgain) for (const pending of this.#heartbeats.values()) pending.resolve(create(HeartbeatResponseSchema, { helloAgain: true }));
    const pending = frame.heartbeat && this.#heartbeats.get(frame.heartbeat.sequence);
    if (!pending) return;
    pending.resolve(create(HeartbeatResponseSchema, { answer: frame.heartbeat!, cancels, lost }));
    delete frame.heartbeat;
  }

  #answerReports(frame: WorkResponse): void {
    if (this.#reports.size === 0) return;
    if (frame.helloAgain) for (const { pending } of this.#reports) pending.reject(helloRequired());
    frame.receipts = frame.receipts.filter((receipt) => {
      let wanted = false;
      for (const report of this.#reports) {
        if (!report.left.delete(keyOf(receipt.token))) continue;
        wanted = true;
        report.receipts.push(receipt);
        if (report.left.size === 0) report.pending.resolve(report.receipts);
      }
      return !wanted;
    });
  }
}

function append(to: WorkResponse, from: WorkResponse): void {
  to.assignments.push(...from.assignments);
  to.receipts.push(...from.receipts);
  to.commandOutcomes.push(...from.commandOutcomes);
  to.resumes.push(...from.resumes);
  to.cancels.push(...from.cancels);
  to.lost.push(...from.lost);
  if (from.heartbeat) to.heartbeat = from.heartbeat;
  if (from.drain) to.drain = from.drain;
  to.helloAgain ||= from.helloAgain;
}

function isEmpty({ welcome, assignments, receipts, commandOutcomes, resumes, cancels, heartbeat, lost, helloAgain, drain }: WorkResponse): boolean {
  if (welcome || heartbeat || helloAgain || drain) return false;
  return [assignments, receipts, commandOutcomes, resumes, cancels, lost].every((items) => items.length === 0);
}

function keyOf(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString("latin1");
}

function helloRequired(): ConnectError {
  return refusal("HELLO_REQUIRED", "the server waits for a Hello: poll, say Hello when you are asked, then report again");
}

function ownerIsSilent(): never {
  throw refusal("NO_OWNER", "the owner of the partition does not answer at present");
}
