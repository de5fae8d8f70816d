import { create } from "@bufbuild/protobuf";
import { type NotifyRequest, NotifyRequestSchema } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { type WorkResponse, WorkResponseSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { RunRecord } from "./run-record.js";
import type { Connection, Unaccepted } from "./volatile.js";

/** An assignment that is not accepted this long after it left is offered elsewhere, in milliseconds. */
const acceptMs = 5_000;
/** A frame is closed when it has about this many bytes: gRPC messages are at most 512 KiB, and one item has at most 128 KiB of payload. */
const frameBytes = 256 * 1024;
/** A notice is closed when it has about this many bytes. */
const noticeBytes = 512 * 1024;

/** What leaves when a batch is on disk: frames for workers, notices for subscribers, ends of streams, deletions. */
export class Outbox {
  readonly frames = new Map<Connection, Sealing<WorkResponse>>();
  readonly notices = new Map<string, Sealing<NotifyRequest>>();
  readonly ends: StreamEnding[] = [];
  /** Payloads whose bytes may be deleted. */
  readonly droppedPayloads: DroppedPayload[] = [];
  /** Waits that ended with results that memory has forgotten: they are read from history, and then sent. */
  readonly lookups: Lookup[] = [];
  /** The assignments in the frames: the time to accept them begins when they leave. */
  readonly offers: Unaccepted[] = [];

  /** The frame for a worker that takes an item of about `bytes` more. */
  frame(connection: Connection, bytes = 64): WorkResponse {
    return open(this.frames, connection, bytes, frameBytes, () => create(WorkResponseSchema));
  }

  /** The notice for a subscriber that takes an item of about `bytes` more. */
  notice(subscriber: string, bytes: number): NotifyRequest {
    return open(this.notices, subscriber, bytes, noticeBytes, () => create(NotifyRequestSchema));
  }

  /** All of it leaves now. Not when it was decided: while the log is slow, what waits for it would be offered twice, and then leave twice. */
  leaves(monotonic: number): void {
    for (const offer of this.offers) offer.deadline = monotonic + acceptMs;
  }

  get empty(): boolean {
    return this.frames.size === 0 && this.notices.size === 0 && this.ends.length === 0 && this.lookups.length === 0 && this.droppedPayloads.length === 0;
  }
}

/** Messages that are filled one after the other. */
export interface Sealing<M> {
  readonly messages: M[];
  /** About how many bytes the last one has. */
  bytes: number;
}

/** Results that a wait needs, and that memory has forgotten. */
export interface Lookup {
  /** The run that waits. */
  readonly run: RunRecord;
  readonly attempt: number;
  readonly waitId: number;
  /** Numbers of the runs whose results are wanted. */
  readonly numbers: readonly number[];
}

/** A payload that is no more. */
export interface DroppedPayload {
  readonly environment: string;
  readonly reference: string;
}

/** A stream that must end. */
export interface StreamEnding {
  readonly executor: string;
  readonly streamId: string;
  /** Stable reason, from the catalogue of errors. */
  readonly reason: string;
  readonly message: string;
}

function open<K, M>(map: Map<K, Sealing<M>>, key: K, bytes: number, limit: number, make: () => M): M {
  let sealing = map.get(key);
  if (!sealing) {
    sealing = { messages: [make()], bytes: 0 };
    map.set(key, sealing);
  } else if (sealing.bytes + bytes > limit) {
    sealing.messages.push(make());
    sealing.bytes = 0;
  }
  sealing.bytes += bytes;
  return sealing.messages[sealing.messages.length - 1] as M;
}
