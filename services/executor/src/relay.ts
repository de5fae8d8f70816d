import { type Client, createClient, createContextValues } from "@connectrpc/connect";
import { type BidiStream, type InternalTransport, type Logger, type Owner, type OwnerDirectory, oneWay } from "@runlane/platform";
import { type DeliverFramesRequest, OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { type OwnerLink, type RelayedFrame, WorkerStream } from "./worker-stream.js";

/** Bytes of frames in one RelayFrames call; a larger frame travels alone. */
const callBytes = 512 * 1024;

/** Bytes that may be on their way to the owner; beyond it workers are not read until half of them have left. */
const mostBytes = 16 * 1024 * 1024;

/** What a relay needs. */
export interface RelayOptions {
  /** Address at which this executor serves ExecutorService. */
  executor: string;
  /** Begins the ids of streams; unique over all executors and their restarts. */
  streamPrefix: string;
  transport: InternalTransport;
  directory: OwnerDirectory;
  logger: Logger;
  partition: number;
}

/** A frame, and the stream that it came from. */
interface PendingFrame {
  readonly stream: WorkerStream;
  readonly frame: RelayedFrame;
}

/**
 * All workers' streams of an executor. Frames of all streams that arrive in one turn of the event loop go to the owner in one call, in their order.
 */
export class Relay implements OwnerLink {
  readonly #options: RelayOptions;
  readonly #streams = new Map<string, WorkerStream>();
  readonly #paused = new Set<WorkerStream>();
  readonly #stopWatching: () => void;
  readonly #oneWay = createContextValues().set(oneWay, true);
  #owner: Owner | undefined;
  #client: Client<typeof OwnerService> | undefined;
  #pending: PendingFrame[] = [];
  /** Of frames that are pending, or in calls that are under way. */
  #bytes = 0;
  #flushing = false;
  #opened = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#stopWatching = options.directory.watch(options.partition, (owner) => this.#ownerChanged(owner));
  }

  get owner(): Owner | undefined {
    return this.#owner;
  }

  /** The streams that are not over. */
  get size(): number {
    return this.#streams.size;
  }

  /** Takes a worker's new stream. */
  open(environment: string, stream: BidiStream<Uint8Array>): WorkerStream {
    const id = `${this.#options.streamPrefix}.${++this.#opened}`;
    const workerStream = new WorkerStream(id, environment, stream, this);
    this.#streams.set(id, workerStream);
    return workerStream;
  }

  relay(stream: WorkerStream, frame: RelayedFrame): void {
    this.#pending.push({ stream, frame });
    this.#bytes += frame.frame.length;
    if (this.#bytes > mostBytes && !this.#paused.has(stream)) {
      this.#paused.add(stream);
      stream.pause();
    }
    if (this.#flushing) return;
    this.#flushing = true;
    // A microtask: frames that one read of a socket brought share a call. Those of other sockets share the owner's next batch all the same, which waits for the end of the poll; a turn
    // of the event loop spent here would come on top of it, and is what a lone run would wait for.
    queueMicrotask(() => this.#flush());
  }

  forget(stream: WorkerStream): void {
    this.#streams.delete(stream.id);
    this.#paused.delete(stream);
  }

  /** Frames from an owner, for the workers. */
  deliver({ epoch, frames }: DeliverFramesRequest): void {
    for (const frame of frames) this.#streams.get(frame.streamId)?.fromOwner(epoch, frame);
  }

  /** Makes good what only time shows to be lost. Called once a second. */
  sweep(): void {
    for (const stream of this.#streams.values()) stream.sweep();
  }

  /** Tells all workers to open their next streams elsewhere. */
  drain(reason: string, graceMs: number): void {
    for (const stream of this.#streams.values()) stream.drain(reason, graceMs);
  }

  close(): void {
    this.#stopWatching();
    this.#owner = undefined;
  }

  #ownerChanged(owner: Owner | undefined): void {
    if (owner?.epoch === this.#owner?.epoch && owner?.address === this.#owner?.address) return;
    this.#options.logger.info(
      { epoch: owner && String(owner.epoch), streams: this.#streams.size },
      owner ? "workers' streams have a new owner" : "nobody owns the partition",
    );
    this.#owner = owner;
    this.#client = owner && createClient(OwnerService, this.#options.transport.to(owner.address));
    for (const { frame } of this.#pending.splice(0)) this.#left(frame.frame.length);
    for (const stream of this.#streams.values()) stream.ownerChanged(owner);
  }

  #flush(): void {
    this.#flushing = false;
    const pending = this.#pending;
    this.#pending = [];
    for (let start = 0; start < pending.length; ) {
      let end = start;
      let bytes = 0;
      do bytes += pending[end++]!.frame.frame.length;
      while (end < pending.length && bytes + pending[end]!.frame.frame.length <= callBytes);
      void this.#call(start === 0 && end === pending.length ? pending : pending.slice(start, end), bytes);
      start = end;
    }
  }

  async #call(pending: PendingFrame[], bytes: number): Promise<void> {
    try {
      const request = { executor: this.#options.executor, frames: pending.map(({ frame }) => frame) };
      await this.#client?.relayFrames(request, { contextValues: this.#oneWay });
    } catch (error) {
      this.#options.logger.warn({ err: error, frames: pending.length }, "frames of workers did not reach the owner");
      for (const { stream } of pending) stream.unsent();
    } finally {
      this.#left(bytes);
    }
  }

  #left(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#paused.size === 0 || this.#bytes > mostBytes / 2) return;
    for (const stream of this.#paused) stream.resume();
    this.#paused.clear();
  }
}
