import { type Client, createClient, createContextValues } from "@connectrpc/connect";
import { encodeMessage, type InternalTransport, oneWay, type Reason, reasons } from "@runlane/platform";
import { ExecutorService, type OwnerFrame, SubscriberService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { WorkResponseSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Outbox, StreamEnding } from "../engine/outbox.js";

/** About the most that one call to an executor carries. */
const messageBytes = 512 * 1024;

/** Sends what a batch on disk allows to leave: frames to executors, notices to subscribers. One way; what is lost is found by sequence gaps, or asked for again. */
export class Delivery {
  readonly #transport: InternalTransport;
  readonly #epoch: bigint;
  readonly #failed: (address: string, error: unknown) => void;
  readonly #executors = new Map<string, Client<typeof ExecutorService>>();
  readonly #subscribers = new Map<string, Client<typeof SubscriberService>>();
  readonly #options = { contextValues: createContextValues().set(oneWay, true) };

  constructor(transport: InternalTransport, epoch: bigint, failed: (address: string, error: unknown) => void) {
    this.#transport = transport;
    this.#epoch = epoch;
    this.#failed = failed;
  }

  /** Sends an outbox, which the append at `sequence` covers. */
  deliver(outbox: Outbox, sequence: number): void {
    const byExecutor = new Map<string, OwnerFrame[]>();
    for (const [connection, { messages }] of outbox.frames) {
      if (!connection.open) continue;
      const frames = framesOf(byExecutor, connection.executor);
      for (const message of messages) {
        connection.frames += 1;
        frames.push({
          $typeName: "runlane.internal.v1.OwnerFrame",
          streamId: connection.streamId,
          sequence: BigInt(connection.frames),
          frame: encodeMessage(WorkResponseSchema, message),
        });
      }
    }
    for (const ending of outbox.ends) framesOf(byExecutor, ending.executor).push(endOf(ending));
    for (const [executor, frames] of byExecutor) this.#toExecutor(executor, frames);
    for (const [subscriber, { messages }] of outbox.notices) {
      for (const message of messages) {
        message.epoch = this.#epoch;
        message.logSequence = BigInt(sequence);
        this.#subscriber(subscriber)
          .notify(message, this.#options)
          .catch((error: unknown) => this.#failed(subscriber, error));
      }
    }
  }

  /** Asks a worker to say Hello: its stream is not known here, or a frame of it was lost. Sequence 0 stands outside the count. */
  askHello(executor: string, streamId: string): void {
    const frame = new Uint8Array(helloAgain);
    this.#toExecutor(executor, [{ $typeName: "runlane.internal.v1.OwnerFrame", streamId, sequence: 0n, frame }]);
  }

  /** Ends a worker's stream with an error. */
  end(ending: StreamEnding): void {
    this.#toExecutor(ending.executor, [endOf(ending)]);
  }

  #toExecutor(address: string, frames: OwnerFrame[]): void {
    let client = this.#executors.get(address);
    if (!client) {
      client = createClient(ExecutorService, this.#transport.to(address));
      this.#executors.set(address, client);
    }
    for (const part of partsOf(frames)) {
      client
        .deliverFrames({ $typeName: "runlane.internal.v1.DeliverFramesRequest", epoch: this.#epoch, frames: part }, this.#options)
        .catch((error: unknown) => this.#failed(address, error));
    }
  }

  #subscriber(address: string): Client<typeof SubscriberService> {
    let client = this.#subscribers.get(address);
    if (!client) {
      client = createClient(SubscriberService, this.#transport.to(address));
      this.#subscribers.set(address, client);
    }
    return client;
  }
}

const helloAgain = encodeMessage(WorkResponseSchema, {
  $typeName: "runlane.v1.WorkResponse",
  assignments: [],
  receipts: [],
  commandOutcomes: [],
  resumes: [],
  cancels: [],
  lost: [],
  journalParts: [],
  helloAgain: true,
});

/** Splits frames into messages that the internal transport takes: NATS carries up to 1 MiB. */
function* partsOf(frames: OwnerFrame[]): Iterable<OwnerFrame[]> {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < frames.length; i++) {
    const size = 64 + (frames[i]?.frame.length ?? 0);
    if (i > from && bytes + size > messageBytes) {
      yield frames.slice(from, i);
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  yield from === 0 ? frames : frames.slice(from);
}

function framesOf(byExecutor: Map<string, OwnerFrame[]>, executor: string): OwnerFrame[] {
  let frames = byExecutor.get(executor);
  if (!frames) {
    frames = [];
    byExecutor.set(executor, frames);
  }
  return frames;
}

function endOf({ streamId, reason, message }: StreamEnding): OwnerFrame {
  const code = reason in reasons ? reasons[reason as Reason] : reasons.INTERNAL;
  return {
    $typeName: "runlane.internal.v1.OwnerFrame",
    streamId,
    sequence: 0n,
    frame: new Uint8Array(),
    end: { $typeName: "runlane.internal.v1.StreamEnd", code, message, reason },
  };
}
