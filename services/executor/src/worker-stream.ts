import { create, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { type BidiListener, type BidiStream, errorDomain, type Owner, type Reason, reasons, refusal } from "@runlane/platform";
import { ErrorInfoSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import type { OwnerFrame, StreamEnd } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { WorkResponseSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { checkHello, holdsHello } from "./hello.js";

/** Largest frame of a worker: NATS's default for a message, 1 MiB, less what the frame travels in. Workers keep to 512 KiB; only a Hello may need more. */
export const mostFrameBytes = 1024 * 1024 - 8 * 1024;

/** Sweeps without a Welcome after which a Hello, or its Welcome, is taken for lost. */
const patience = 5;

/**
 * Where a worker's stream stands.
 *
 * - `new`: nothing has come so far. The first frame must hold a Hello.
 * - `greeting`: a Hello has gone to the owner. Its frames are dropped up to the Welcome: they are of an earlier session of this stream.
 * - `open`: the Welcome has passed. Frames pass in both directions, counted.
 * - `asking`: the worker was asked for a Hello, because frames may have been lost or the owner is another. What comes before it is dropped, in both directions.
 * - `orphaned`: nobody owns the partition. Frames are dropped, nothing is answered, the stream stays; an owner's appearance leads to `asking`.
 * - `over`: the stream has ended.
 */
export type StreamState = "new" | "greeting" | "open" | "asking" | "orphaned" | "over";

/** The way of a stream's frames to the owner. */
export interface OwnerLink {
  /** The owner as far as is known now. */
  readonly owner: Owner | undefined;
  /** Sends a frame on. If it cannot be sent, {@link WorkerStream.unsent} is called, maybe later. */
  relay(stream: WorkerStream, frame: RelayedFrame): void;
  /** The stream is over. */
  forget(stream: WorkerStream): void;
}

/** A WorkerFrame as its stream makes it. */
export interface RelayedFrame {
  readonly streamId: string;
  readonly sequence: bigint;
  readonly environment: string;
  readonly frame: Uint8Array;
  readonly closed: boolean;
}

const nothing = new Uint8Array(0);
const helloAgain = toBinary(WorkResponseSchema, create(WorkResponseSchema, { helloAgain: true }));

/**
 * One worker's stream, between the worker and the owner. Passes frames on undecoded and counts them in both directions. Whatever may have been lost is made good
 * in one way: the worker is asked for a Hello, which says all that it holds.
 */
export class WorkerStream implements BidiListener<Uint8Array> {
  /** Unique over all executors. */
  readonly id: string;
  readonly #environment: string;
  readonly #stream: BidiStream<Uint8Array>;
  readonly #link: OwnerLink;
  #state: StreamState = "new";
  /** Of the owner that got the last Hello. */
  #epoch: bigint | undefined;
  #sent = 0n;
  #received = 0n;
  #sweepsWithoutWelcome = 0;

  constructor(id: string, environment: string, stream: BidiStream<Uint8Array>, link: OwnerLink) {
    this.id = id;
    this.#environment = environment;
    this.#stream = stream;
    this.#link = link;
  }

  get state(): StreamState {
    return this.#state;
  }

  onMessage(frame: Uint8Array): void {
    if (frame.length > mostFrameBytes) {
      throw refusal("FRAME_TOO_LARGE", `the frame has ${frame.length} bytes; the limit is ${mostFrameBytes}`, {
        metadata: { bytes: String(frame.length), limit: String(mostFrameBytes) },
      });
    }
    if (this.#state === "new" || holdsHello(frame)) this.#hello(frame);
    else if (this.#state === "open" || this.#state === "greeting") this.#relay(frame);
  }

  onClose(): void {
    const known = this.#state === "open" || this.#state === "greeting" || this.#state === "asking";
    this.#state = "over";
    if (known && this.#link.owner?.epoch === this.#epoch) this.#relay(nothing, true);
    this.#link.forget(this);
  }

  /** A frame of the owner of `epoch`. */
  fromOwner(epoch: bigint, { sequence, frame, end }: OwnerFrame): void {
    if (epoch !== this.#epoch || this.#state === "over" || this.#state === "orphaned") return;
    if (end !== undefined) return this.#end(end);
    if (this.#state === "asking") return;
    // Outside the count: the owner does not know the stream, or misses a frame of it, and asks for a Hello.
    if (sequence === 0n) return this.#ask();
    if (sequence === 1n) this.#state = "open";
    else if (this.#state === "greeting") return;
    else if (sequence !== this.#received + 1n) return this.#ask();
    this.#received = sequence;
    this.#stream.send(frame);
  }

  /** The partition has another owner, or none. */
  ownerChanged(owner: Owner | undefined): void {
    if (this.#state === "new" || this.#state === "over") return;
    if (owner === undefined) this.#state = "orphaned";
    else this.#ask();
  }

  /** A frame of this stream did not leave: whether there is an owner is open. */
  unsent(): void {
    if (this.#state === "open" || this.#state === "greeting") this.#state = "orphaned";
  }

  /** Makes good what only time shows to be lost. Called once a second. */
  sweep(): void {
    if (this.#state === "orphaned" && this.#link.owner !== undefined) this.#ask();
    else if (this.#state === "greeting" && ++this.#sweepsWithoutWelcome > patience) this.#ask();
  }

  /** Stops reading the worker: too much is on its way to the owner. */
  pause(): void {
    this.#stream.pause();
  }

  /** Reads the worker again. */
  resume(): void {
    this.#stream.resume();
  }

  /** Tells the worker to open its next stream elsewhere. */
  drain(reason: string, graceMs: number): void {
    if (this.#state === "over") return;
    this.#stream.send(toBinary(WorkResponseSchema, create(WorkResponseSchema, { drain: { reason, gracePeriod: durationFromMs(graceMs) } })));
  }

  #hello(frame: Uint8Array): void {
    checkHello(frame);
    const { owner } = this.#link;
    if (owner === undefined) {
      this.#state = "orphaned";
      return;
    }
    this.#state = "greeting";
    this.#epoch = owner.epoch;
    this.#sent = 0n;
    this.#received = 0n;
    this.#sweepsWithoutWelcome = 0;
    this.#relay(frame, false, this.#environment);
  }

  #relay(frame: Uint8Array, closed = false, environment = ""): void {
    this.#sent += 1n;
    this.#link.relay(this, { streamId: this.id, sequence: this.#sent, environment, frame, closed });
  }

  #ask(): void {
    if (this.#state === "asking") return;
    this.#state = "asking";
    this.#stream.send(helloAgain);
  }

  #end({ code, message, reason }: StreamEnd): void {
    this.#state = "over";
    this.#stream.end(reason in reasons ? refusal(reason as Reason, message) : strangersError(code, message, reason));
  }
}

/** An owner of a later version may know reasons that this executor does not. */
function strangersError(code: number, message: string, reason: string): ConnectError {
  return new ConnectError(message, code in Code ? code : Code.Unknown, undefined, [{ desc: ErrorInfoSchema, value: { reason, domain: errorDomain } }]);
}
