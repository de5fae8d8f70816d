import { type Client, createClient } from "@connectrpc/connect";
import { ExecutorService, type RelayFramesRequest, type WorkerFrame } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { ServedOwner } from "@runlane/platform/testing/served-owner.js";
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
export class OwnerDouble extends ServedOwner {
  /** The calls that arrived. */
  readonly calls: RelayFramesRequest[] = [];
  /** The frames that were in order. */
  readonly heard: WorkerFrame[] = [];
  /** Decides about each frame on its way, "up" to the owner or "down" to the worker. */
  loses: (direction: "up" | "down", streamId: string) => boolean = () => false;
  readonly #streams = new Map<string, KnownStream>();

  protected override begin() {
    this.#streams.clear();
    return {
      relayFrames: (request: RelayFramesRequest) => {
        this.calls.push(request);
        for (const frame of request.frames) if (!this.loses("up", frame.streamId)) this.#take(request.executor, frame);
        return {};
      },
    };
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
    const client: Client<typeof ExecutorService> = createClient(ExecutorService, this.transport.to(executor));
    void client.deliverFrames({ epoch: this.epoch, frames: [ownerFrame(streamId, sequence, response)] });
  }
}
