import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { NotifyRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import type { BatchPart, TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { Batch } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import type { Hello, WorkRequest, WorkResponse } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";

/** What became of one item of a trigger, as its caller heard it. */
export type Outcome = { readonly run: number; readonly cached: boolean } | { readonly refused: string };

/** Why the engine was asked to decide something. */
export type Cause =
  /** A new owner makes the environment and does what fell due. */
  | { readonly kind: "begin" }
  /** Time has passed. */
  | { readonly kind: "tick" }
  /** A batch closes: what may start is placed. With `rested`, everything that was due before has been done. */
  | { readonly kind: "place"; readonly rested: boolean }
  | { readonly kind: "trigger"; readonly requestId: string; readonly items: readonly TriggerItem[]; readonly outcomes: readonly Outcome[] }
  /** A part of a batch. */
  | {
      readonly kind: "batch";
      readonly requestId: string;
      readonly part: BatchPart;
      readonly items: readonly TriggerItem[];
      readonly answer:
        | { readonly refused: string }
        | { readonly number: number; readonly size: number; readonly cached: boolean; readonly outcomes: readonly Outcome[] };
    }
  /** Somebody looks at a batch. */
  | { readonly kind: "readBatch"; readonly batch: Batch }
  /** A delayed run is to enter its queue at another time, in milliseconds of the Unix epoch; 0: at once. */
  | { readonly kind: "reschedule"; readonly run: number; readonly dueMs: number; readonly refused: string | undefined }
  /** An idempotency key is ended. */
  | { readonly kind: "endKey"; readonly taskId: string; readonly key: string; readonly refused: string | undefined }
  /** A token is asked for, or completed. */
  | { readonly kind: "createToken"; readonly token: number; readonly cached: boolean }
  | { readonly kind: "completeToken"; readonly token: number; readonly state: string }
  | { readonly kind: "cancel"; readonly run: number; readonly reason: string }
  | { readonly kind: "promote"; readonly version: string }
  /** Somebody changes a queue, a limit or the environment. */
  | { readonly kind: "govern" }
  | { readonly kind: "hello"; readonly streamId: string; readonly hello: Hello }
  | { readonly kind: "frame"; readonly streamId: string; readonly request: WorkRequest }
  /** The stream has ended, or a gap was found in it. */
  | { readonly kind: "closed"; readonly streamId: string; readonly goodbye: boolean }
  /** A subscriber wants the result of a run. */
  | { readonly kind: "subscribe"; readonly subscriber: string; readonly run: number };

/** One decision of the engine, as it is seen from outside: why, when, and everything that came of it. */
export interface Observation {
  /** The partition's time, in milliseconds of the Unix epoch. */
  readonly now: number;
  /** A clock that only goes forward, in milliseconds. */
  readonly monotonic: number;
  readonly cause: Cause;
  readonly events: readonly Event[];
  readonly frames: readonly { readonly streamId: string; readonly message: WorkResponse }[];
  readonly notices: readonly { readonly subscriber: string; readonly notice: NotifyRequest }[];
  /** Streams that were told to end. */
  readonly ends: readonly { readonly streamId: string; readonly reason: string }[];
}
