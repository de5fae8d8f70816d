import { durationMs } from "@bufbuild/protobuf/wkt";
import { invalidFields, refusal } from "@runlane/platform";
import type {
  HeartbeatRequest,
  HeartbeatResponse,
  PollRequest,
  PollResponse,
  ReportResultsRequest,
  ResultReceipt,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { PolledStream } from "./polled-stream.js";
import type { Relay } from "./relay.js";

/** How long a stream is kept whose worker does not call, in milliseconds. Whether it keeps what it holds is the lease's to say, and that is shorter. */
export const idleStreamMs = 30_000;

const defaultWaitMs = 10_000;
const mostWaitMs = 30_000;
const mostItems = 500;

/** The streams of workers that poll. */
export class PolledWorkers {
  readonly #relay: Relay;
  readonly #streams = new Map<string, { readonly environment: string; readonly end: PolledStream }>();

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  /** The streams that are not over. */
  get size(): number {
    return this.#streams.size;
  }

  /** See WorkerService.Poll. */
  async poll(environment: string, { streamId, received, frame, wait }: PollRequest, signal: AbortSignal): Promise<PollResponse> {
    const waitMs = wait ? durationMs(wait) : defaultWaitMs;
    if (waitMs < 0 || waitMs > mostWaitMs) throw invalidFields([{ field: "wait", description: "must be 0 to 30 s" }]);
    if (streamId === "" && !frame?.hello) throw invalidFields([{ field: "frame.hello", description: "must be set in a poll without stream_id" }]);
    const end = streamId === "" ? this.#open(environment) : this.#find(environment, streamId);
    return await end.poll(received, frame, waitMs, signal);
  }

  /** See WorkerService.Heartbeat. */
  async heartbeat(environment: string, { streamId, heartbeat }: HeartbeatRequest, signal: AbortSignal): Promise<HeartbeatResponse> {
    if (!heartbeat) throw invalidFields([{ field: "heartbeat", description: "is missing" }]);
    return await this.#find(environment, streamId).heartbeat(heartbeat, signal);
  }

  /** See WorkerService.ReportResults. */
  async report(environment: string, { streamId, results, cancelConfirmed }: ReportResultsRequest, signal: AbortSignal): Promise<ResultReceipt[]> {
    const count = results.length + cancelConfirmed.length;
    if (count < 1 || count > mostItems)
      throw invalidFields([{ field: "results", description: `must be 1 to ${mostItems}, with cancel_confirmed; are ${count}` }]);
    return await this.#find(environment, streamId).report(results, cancelConfirmed, signal);
  }

  /** Ends streams whose workers have stopped calling. Called once a second. */
  sweep(now = performance.now()): void {
    for (const { end } of this.#streams.values()) {
      if (end.idleSince !== undefined && now - end.idleSince > idleStreamMs) end.end();
    }
  }

  #open(environment: string): PolledStream {
    const end = new PolledStream();
    const stream = this.#relay.open(environment, end);
    end.serve(stream, () => this.#streams.delete(stream.id));
    this.#streams.set(stream.id, { environment, end });
    return end;
  }

  #find(environment: string, streamId: string): PolledStream {
    const found = this.#streams.get(streamId);
    if (found?.environment === environment) return found.end;
    throw refusal("STREAM_UNKNOWN", "this server does not know the stream (any more); poll without stream_id, with a Hello that lists what is held", {
      resource: { type: "stream", name: streamId.slice(0, 128) },
    });
  }
}
