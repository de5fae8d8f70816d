import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { BidiStream } from "@runlane/platform";
import {
  type RunResults,
  type TriggerOutcomes,
  type TriggerStreamRequest,
  TriggerStreamRequestSchema,
  type TriggerStreamResponse,
  TriggerStreamResponseSchema,
} from "@runlane/platform/gen/runlane/v1/run_service_pb.js";

/** The client's end of a TriggerStream: keeps what it is sent. */
export class ClientDouble implements BidiStream<MessageInitShape<typeof TriggerStreamResponseSchema>> {
  readonly heard: TriggerStreamResponse[] = [];
  /** False: the client reads nothing. */
  reads = true;
  open = true;
  paused = false;
  /** What the stream ended with, once it has: null for OK. */
  endedWith: unknown;

  send(message: MessageInitShape<typeof TriggerStreamResponseSchema>): boolean {
    if (this.open) this.heard.push(create(TriggerStreamResponseSchema, message));
    return this.reads;
  }

  end(error?: unknown): void {
    if (!this.open) return;
    this.open = false;
    this.endedWith = error ?? null;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  /** Answers to TriggerFrames. */
  get outcomes(): TriggerOutcomes[] {
    return this.heard.flatMap(({ frame }) => (frame.case === "outcomes" ? [frame.value] : []));
  }

  /** Frames of results. */
  get results(): RunResults[] {
    return this.heard.flatMap(({ frame }) => (frame.case === "results" ? [frame.value] : []));
  }

  /** Runs whose results have come. */
  get finished(): string[] {
    return this.results.flatMap(({ results }) => results.map(({ runId }) => runId));
  }
}

/** A frame from the client. */
export function frame(init: MessageInitShape<typeof TriggerStreamRequestSchema>): TriggerStreamRequest {
  return create(TriggerStreamRequestSchema, init);
}

/** A frame that triggers task "t" some times and awaits all results. */
export function triggerFrame(requestId: string, count = 1): TriggerStreamRequest {
  return frame({
    frame: {
      case: "trigger",
      value: { requestId, items: Array.from({ length: count }, () => ({ taskId: "t" })), awaitResults: Array.from({ length: count }, (_, i) => i) },
    },
  });
}
