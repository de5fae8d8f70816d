import { create, type DescService, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { PayloadService } from "#gen/runlane/v1/payload_service_pb.js";
import { QueueService } from "#gen/runlane/v1/queue_service_pb.js";
import { type BatchPart, type RunResult, RunResultSchema, RunState, type TriggerItem } from "#gen/runlane/v1/run_pb.js";
import { RunService, type TriggerFrame, type TriggerStreamRequestSchema, type TriggerStreamResponseSchema } from "#gen/runlane/v1/run_service_pb.js";
import { FakePayloadService } from "./fake-payload-service.js";
import { type FakeCall, type FakeServer, type FakeService, refusalStatus, startFakeServer } from "./fake-server.js";

type StreamCall = FakeCall<MessageShape<typeof TriggerStreamRequestSchema>, MessageInitShape<typeof TriggerStreamResponseSchema>>;

/** What a run becomes; undefined leaves it unfinished. */
export type Outcome = Omit<MessageInitShape<typeof RunResultSchema>, "$typeName" | "runId" | "taskId"> | undefined;

/** A RunService that keeps the contract's promises in memory: a repeated request id gives the runs of the first, outcomes come before results. */
export class FakeRunService {
  /** Every trigger frame as it arrived, repeated ones too. */
  readonly frames: { requestId: string; items: TriggerItem[]; bytes: Uint8Array; stream: number }[] = [];
  /** Runs that were watched, in order. */
  readonly watched: string[] = [];
  readonly unwatched: string[] = [];
  /** What was triggered, by run id. */
  readonly runs = new Map<string, { item: TriggerItem; result: RunResult | undefined }>();
  /** Batches by their id. */
  readonly batches = new Map<string, { runIds: string[]; sealed: boolean }>();
  /** Streams opened so far. */
  streams = 0;
  /** Decides what becomes of a run; by default it returns its payload. */
  run: (item: TriggerItem, runId: string) => Outcome = (item) => ({ state: RunState.COMPLETED, output: item.payload });
  /** Called before a frame is answered; returning true leaves it without an answer. */
  onFrame: (frame: TriggerFrame, call: StreamCall) => unknown = () => {};
  /** The key that calls need; undefined lets everybody in. */
  key: string | undefined;
  /** Payloads that are kept apart. */
  readonly payloads = new FakePayloadService();
  /** Methods of QueueService. */
  queues: FakeService<typeof QueueService> = {};
  /** Further methods. */
  more: FakeService<typeof RunService> = {};

  readonly #answers = new Map<string, string[]>();
  readonly #calls = new Set<StreamCall>();
  readonly #waiting = new Map<string, StreamCall>();
  #server: FakeServer | undefined;

  async start(port = 0): Promise<FakeServer> {
    const handlers: FakeService<typeof RunService> = { ...this.more, triggerStream: (call) => this.#stream(call) };
    const services: [DescService, object][] = [
      [RunService, handlers],
      [PayloadService, this.payloads.handlers],
      [QueueService, this.queues],
    ];
    this.#server = await startFakeServer(services, { port });
    return this.#server;
  }

  /** Ends a run that `run` left unfinished. */
  finish(runId: string, outcome: NonNullable<Outcome>): void {
    const run = this.runs.get(runId)!;
    run.result = create(RunResultSchema, { ...outcome, runId, taskId: run.item.taskId });
    const call = this.#waiting.get(runId);
    if (call && this.#calls.has(call)) call.send({ frame: { case: "results", value: { results: [run.result] } } });
  }

  #stream(call: StreamCall): void {
    const [authorization] = call.metadata.get("authorization");
    if (this.key !== undefined && authorization !== `Bearer ${this.key}`) {
      call.end(refusalStatus(Code.Unauthenticated, "the key is not one of this server's", "INVALID_KEY"));
      return;
    }
    this.streams += 1;
    const stream = this.streams;
    this.#calls.add(call);
    call.onCancel(() => this.#calls.delete(call));
    call.onEnd(() => call.end());
    call.onMessage(({ frame }, bytes) => {
      if (frame.case === "trigger") {
        this.frames.push({ requestId: frame.value.requestId, items: frame.value.items, bytes, stream });
        if (this.onFrame(frame.value, call) !== true) this.answer(frame.value, call);
      } else if (frame.case === "watch") {
        this.watched.push(...frame.value.runIds);
        for (const runId of frame.value.runIds) this.#watch(runId, call);
      } else if (frame.case === "unwatch") {
        this.unwatched.push(...frame.value.runIds);
      }
    });
  }

  /** Triggers what a frame asks for, once, and answers it. */
  answer(frame: TriggerFrame, call: StreamCall): void {
    const runIds = this.trigger(frame);
    const outcomes = runIds.map((runId) => ({ outcome: { case: "runId" as const, value: runId } }));
    const batch = frame.batch && this.#join(frame.batch, runIds);
    call.send({ frame: { case: "outcomes", value: { requestId: frame.requestId, outcomes, ...(batch ? { batch } : {}) } } });
    for (const index of frame.awaitResults) this.#watch(runIds[index]!, call);
  }

  /** Triggers what a frame asks for, once. */
  trigger(frame: TriggerFrame): string[] {
    const runIds = this.#answers.get(frame.requestId) ?? frame.items.map((_, index) => `run_${this.runs.size + index + 1}`);
    if (!this.#answers.has(frame.requestId)) {
      this.#answers.set(frame.requestId, runIds);
      for (const [index, item] of frame.items.entries()) {
        const runId = runIds[index]!;
        const outcome = this.run(item, runId);
        this.runs.set(runId, { item, result: outcome && create(RunResultSchema, { ...outcome, runId, taskId: item.taskId }) });
      }
    }
    return runIds;
  }

  #join({ batchId, firstIndex, seal }: BatchPart, runIds: string[]) {
    const id = batchId || `batch_${this.batches.size + 1}`;
    const batch = this.batches.get(id) ?? { runIds: [], sealed: false };
    batch.runIds.splice(firstIndex, runIds.length, ...runIds);
    batch.sealed ||= seal;
    this.batches.set(id, batch);
    return { batchId: id, runCount: batch.runIds.length };
  }

  #watch(runId: string, call: StreamCall): void {
    const run = this.runs.get(runId);
    if (!run) call.send({ frame: { case: "results", value: { unknownRunIds: [runId] } } });
    else if (run.result) call.send({ frame: { case: "results", value: { results: [run.result] } } });
    else this.#waiting.set(runId, call);
  }
}
