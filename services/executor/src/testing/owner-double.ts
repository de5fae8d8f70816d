import { type Client, createClient } from "@connectrpc/connect";
import { type InternalTransport, type MemoryOwnership, type PartitionClaim, refusal, type Served } from "@runlane/platform";
import { ExecutorService, OwnerService, type RelayFramesRequest, type WorkerFrame } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { holdsHello } from "../hello.js";
import { ownerFrame, readRequest } from "./frames.js";

/** What the owner knows of a stream. */
interface KnownStream {
  executor: string;
  received: bigint;
  sent: number;
}

/**
 * An owner for tests. Answers Hello with Welcome and each heartbeat with its answer, counts frames as a real one does, and asks for a Hello when one is missing. May be told
 * to lose frames, of either direction.
 */
export class OwnerDouble {
  /** The calls that arrived. */
  readonly calls: RelayFramesRequest[] = [];
  /** The frames that were in order. */
  readonly heard: WorkerFrame[] = [];
  /** Decides about each frame on its way, "up" to the owner or "down" to the worker. */
  loses: (direction: "up" | "down", streamId: string) => boolean = () => false;
  readonly #transport: InternalTransport;
  readonly #ownership: MemoryOwnership;
  readonly #streams = new Map<string, KnownStream>();
  #epoch = 0n;
  #claim: PartitionClaim | undefined;
  #served: Served | undefined;

  constructor(transport: InternalTransport, ownership: MemoryOwnership) {
    this.#transport = transport;
    this.#ownership = ownership;
  }

  /** Serves a new epoch, and knows nothing of the streams of the one before. */
  async takeOver(epoch: bigint): Promise<void> {
    await this.#served?.close();
    this.#streams.clear();
    this.#epoch = epoch;
    const address = `owner.0.${epoch}`;
    const unused = () => {
      throw refusal("UNIMPLEMENTED", "not part of this test");
    };
    this.#served = await this.#transport.serve(address, OwnerService, {
      triggerRuns: unused,
      readRun: unused,
      stopRun: unused,
      readTasks: unused,
      readVersions: unused,
      promoteVersion: unused,
      watchRuns: unused,
      recordPayload: unused,
      moveRun: unused,
      judgeRun: unused,
      readBatch: unused,
      endIdempotencyKey: unused,
      readQueues: unused,
      changeQueue: unused,
      readLimits: unused,
      changeLimit: unused,
      readEnvironment: unused,
      changeEnvironment: unused,
      relayFrames: (request) => {
        this.calls.push(request);
        for (const frame of request.frames) if (!this.loses("up", frame.streamId)) this.#take(request.executor, frame);
        return {};
      },
    });
    this.#claim ??= await this.#ownership.claim(0, "test");
    await this.#claim.publish({ epoch, address });
  }

  /** Stops serving. The directory goes on naming it. */
  async vanish(): Promise<void> {
    await this.#served?.close();
  }

  /** Stops serving, and leaves the directory. */
  async resign(): Promise<void> {
    await this.vanish();
    await this.#claim?.release();
    this.#claim = undefined;
  }

  /** The answered heartbeats of a stream, by their sequence. */
  heartbeats(streamId: string): bigint[] {
    return this.heard.filter((frame) => frame.streamId === streamId).flatMap(({ frame }) => readRequest(frame).heartbeat?.sequence ?? []);
  }

  /** Says something to a worker. */
  say(streamId: string, response: Parameters<typeof ownerFrame>[2]): void {
    const stream = this.#streams.get(streamId);
    if (!stream) throw new Error(`the owner does not know stream ${streamId}`);
    this.#send(stream, streamId, response);
  }

  #take(executor: string, frame: WorkerFrame): void {
    const { streamId, sequence, closed } = frame;
    let stream = this.#streams.get(streamId);
    if (sequence === 1n && holdsHello(frame.frame)) {
      stream = { executor, received: 1n, sent: 0 };
      this.#streams.set(streamId, stream);
      this.heard.push(frame);
      this.#send(stream, streamId, { welcome: { protocolRevision: 1 } });
    } else if (stream === undefined || sequence !== stream.received + 1n) {
      this.#streams.delete(streamId);
      if (!closed) this.#deliver(executor, streamId, 0, { helloAgain: true });
    } else {
      stream.received = sequence;
      this.heard.push(frame);
      const { heartbeat } = readRequest(frame.frame);
      if (heartbeat) this.#send(stream, streamId, { heartbeat: { sequence: heartbeat.sequence } });
    }
  }

  #send(stream: KnownStream, streamId: string, response: Parameters<typeof ownerFrame>[2]): void {
    this.#deliver(stream.executor, streamId, ++stream.sent, response);
  }

  #deliver(executor: string, streamId: string, sequence: number, response: Parameters<typeof ownerFrame>[2]): void {
    if (this.loses("down", streamId)) return;
    const client: Client<typeof ExecutorService> = createClient(ExecutorService, this.#transport.to(executor));
    void client.deliverFrames({ epoch: this.#epoch, frames: [ownerFrame(streamId, sequence, response)] });
  }
}
