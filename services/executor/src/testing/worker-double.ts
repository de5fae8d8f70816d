import type { BidiStream } from "@runlane/platform";
import type { WorkResponse } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { readResponse } from "./frames.js";

/** The worker's end of a stream: keeps what it is sent. */
export class WorkerDouble implements BidiStream<Uint8Array> {
  /** What the worker heard. */
  readonly heard: WorkResponse[] = [];
  /** What the stream ended with, once it has: null for OK. */
  endedWith: unknown;
  open = true;
  paused = false;

  send(frame: Uint8Array): boolean {
    if (this.open) this.heard.push(readResponse(frame));
    return true;
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
}
