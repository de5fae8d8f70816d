import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Assignment,
  type ResultDisposition,
  type Welcome,
  WorkerService,
  type WorkRequestSchema,
  type WorkResponseSchema,
} from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { eventually } from "../support/eventually.js";
import { jsonPayload } from "../support/json-payload.js";
import type { Stranger, StrangerStream } from "../support/stranger.js";

/** Who a worker says it is. */
export interface RawWorkerOptions {
  workerId: string;
  incarnation?: bigint;
  /** The tasks that it has; each run has two attempts. */
  tasks: string[];
}

/** A worker that knows nothing but the contract, and does only what a test tells it to: it accepts nothing, sends no heartbeat and reports nothing of itself. */
export class RawWorker {
  readonly stream: StrangerStream<typeof WorkRequestSchema, typeof WorkResponseSchema>;
  readonly #options: RawWorkerOptions;
  #heartbeats = 0n;

  /** Opens a stream. */
  constructor(stranger: Stranger, options: RawWorkerOptions) {
    this.stream = stranger.stream(WorkerService.method.work);
    this.#options = options;
  }

  /** Says Hello, and waits for the Welcome. */
  async hello(held: Uint8Array[] = []): Promise<Welcome> {
    const before = this.#welcomes().length;
    this.sayHello(held);
    return await eventually("the server welcomes the worker", () => this.#welcomes()[before]);
  }

  /** Says Hello. */
  sayHello(held: Uint8Array[] = []): void {
    const { workerId, incarnation = 1n, tasks } = this.#options;
    this.send({
      hello: {
        protocolRevision: 1,
        workerId,
        incarnation,
        tasks: tasks.map((id) => ({ id, maxAttempts: 2 })),
        slots: 10,
        buildId: "raw",
        held: held.map((token) => ({ token })),
      },
    });
  }

  /** Sends a frame. */
  send(frame: MessageInitShape<typeof WorkRequestSchema>): void {
    this.stream.send(frame);
  }

  /** Says that it lives, and what it holds. */
  heartbeat(held: Uint8Array[] = []): void {
    this.#heartbeats += 1n;
    let heldDigest = 0n;
    for (const token of held) heldDigest ^= Buffer.from(token).readBigUInt64BE(token.length - 8);
    const assignmentSequence = this.assignments().at(-1)?.sequence ?? 0n;
    this.send({ heartbeat: { sequence: this.#heartbeats, assignmentSequence, heldCount: held.length, heldDigest } });
  }

  /** Everything that it was asked to run so far. */
  assignments(): Assignment[] {
    return this.stream.received.flatMap((frame) => frame.assignments);
  }

  /** Waits for the first assignment of a run, and accepts it. Its token. */
  async take(runId: string, within?: number): Promise<Uint8Array> {
    const { token } = await eventually(`run ${runId} is assigned`, () => this.assignments().find((assignment) => assignment.runId === runId), within);
    this.send({ accepted: [token] });
    return token;
  }

  /** Reports that an attempt returned something, and waits for the receipt. */
  async report(token: Uint8Array, output: unknown): Promise<ResultDisposition> {
    return this.receipt(token, () => this.send({ results: [{ token, outcome: { case: "output", value: jsonPayload(output) } }] }));
  }

  /** Does something that a receipt must follow, and waits for it. */
  async receipt(token: Uint8Array, act: () => void): Promise<ResultDisposition> {
    const before = this.#receipts(token).length;
    act();
    return (await eventually("a receipt comes", () => this.#receipts(token)[before])).disposition;
  }

  /** Whether the server has said that this attempt is not the worker's any more. */
  hasLost(token: Uint8Array): boolean {
    return this.stream.received.some((frame) => frame.lost.some((lost) => Buffer.compare(lost, token) === 0));
  }

  #welcomes(): Welcome[] {
    return this.stream.received.flatMap((frame) => frame.welcome ?? []);
  }

  #receipts(token: Uint8Array) {
    return this.stream.received.flatMap((frame) => frame.receipts).filter((receipt) => Buffer.compare(receipt.token, token) === 0);
  }
}
