import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  type Assignment,
  type AttemptResult,
  type PollRequestSchema,
  type PollResponse,
  type ResultDisposition,
  WorkerService,
  type WorkResponse,
} from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { createGrpcConnection, createGrpcTransport, errorInfoOf } from "@runlane/sdk/internal";

/** How a worker is set up. */
export interface PollingWorkerOptions {
  address: string;
  secretKey: string;
  workerId: string;
  /** What it does with an assignment: its value is the output. */
  run: (assignment: Assignment, signal: AbortSignal) => Promise<unknown>;
  /** Decides whether the response of a call is lost: the worker then knows nothing of it, and repeats the call. */
  loses?: (method: "poll" | "reportResults") => boolean;
}

interface Held {
  readonly token: Uint8Array;
  readonly controller: AbortController;
}

/** A worker that knows unary calls only: Poll, Heartbeat, ReportResults. */
export class PollingWorker {
  /** Ids of the runs whose code it started, once for each time. */
  readonly started: string[] = [];
  /** What became of what it reported, by run. */
  readonly receipts: ResultDisposition[] = [];
  hellos = 0;
  readonly client: Client<typeof WorkerService>;
  readonly #options: PollingWorkerOptions;
  readonly #connection: ReturnType<typeof createGrpcConnection>;
  readonly #closed = new AbortController();
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  #accepted: Uint8Array[] = [];
  #assignmentSequence = 0n;
  #heartbeats = 0n;
  #listHeld = false;
  #streamId = "";

  constructor(options: PollingWorkerOptions) {
    this.#options = options;
    this.#connection = createGrpcConnection(options.address, options.secretKey);
    this.client = createClient(
      WorkerService,
      createGrpcTransport(() => this.#connection),
    );
    this.#timer = setInterval(() => void this.#beat().catch(() => {}), 100);
    void this.#pollOn();
  }

  get heldCount(): number {
    return this.#held.size;
  }

  get streamId(): string {
    return this.#streamId;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#closed.abort();
    this.#connection.close();
  }

  async #pollOn(): Promise<void> {
    let received = 0n;
    let greet = true;
    while (!this.#closed.signal.aborted) {
      const request: MessageInitShape<typeof PollRequestSchema> = { streamId: this.#streamId, received, wait: durationFromMs(2_000), ...this.#frame(greet) };
      try {
        const { streamId, number, frame }: PollResponse = await this.#persist("poll", () => this.client.poll(request, { signal: this.#closed.signal }));
        this.#streamId = streamId;
        received = number;
        greet = frame?.helloAgain ?? false;
        if (frame) this.#handle(frame);
      } catch (error) {
        if (this.#closed.signal.aborted) return;
        if (errorInfoOf(ConnectError.from(error))?.reason !== "STREAM_UNKNOWN") throw error;
        this.#streamId = "";
        received = 0n;
        greet = true;
      }
    }
  }

  #frame(greet: boolean): Pick<Exclude<MessageInitShape<typeof PollRequestSchema>, { $typeName: string }>, "frame"> {
    const held = [...this.#held.values()].map(({ token }) => ({ token }));
    if (greet) {
      this.hellos += 1;
      const { workerId } = this.#options;
      return { frame: { hello: { protocolRevision: 1, workerId, incarnation: 1n, buildId: "poller", slots: 5, tasks: [{ id: "t", maxAttempts: 1 }], held } } };
    }
    const accepted = this.#accepted.splice(0);
    const list = this.#listHeld ? { heldList: { assignmentSequence: this.#assignmentSequence, held } } : {};
    this.#listHeld = false;
    return accepted.length > 0 || "heldList" in list ? { frame: { accepted, ...list } } : {};
  }

  #handle(frame: WorkResponse): void {
    for (const assignment of frame.assignments) {
      if (assignment.sequence > this.#assignmentSequence) this.#assignmentSequence = assignment.sequence;
      const key = keyOf(assignment.token);
      if (this.#held.has(key)) continue;
      const held: Held = { token: assignment.token, controller: new AbortController() };
      this.#held.set(key, held);
      this.#accepted.push(assignment.token);
      this.started.push(assignment.runId);
      this.#run(assignment, held).catch((error: unknown) => {
        if (!this.#closed.signal.aborted) throw error;
      });
    }
    for (const { token } of frame.cancels) this.#held.get(keyOf(token))?.controller.abort();
    for (const token of frame.lost) this.#held.delete(keyOf(token));
  }

  async #run(assignment: Assignment, { token, controller }: Held): Promise<void> {
    const value = await this.#options.run(assignment, controller.signal).catch(() => undefined);
    const outcome: AttemptResult["outcome"] = {
      case: "output",
      value: { $typeName: "runlane.v1.Payload", contentType: "", data: Buffer.from(JSON.stringify(value ?? null)), metadata: {} },
    };
    const said = controller.signal.aborted
      ? { results: [], cancelConfirmed: [token] }
      : { results: [{ $typeName: "runlane.v1.AttemptResult" as const, token, outcome }], cancelConfirmed: [] };
    const { receipts } = await this.#persist("reportResults", () =>
      this.client.reportResults({ streamId: this.#streamId, ...said }, { signal: this.#closed.signal }),
    );
    for (const { disposition } of receipts) this.receipts.push(disposition);
    this.#held.delete(keyOf(token));
  }

  async #beat(): Promise<void> {
    if (this.#streamId === "") return;
    this.#heartbeats += 1n;
    let heldDigest = 0n;
    for (const { token } of this.#held.values()) heldDigest ^= Buffer.from(token).readBigUInt64BE(token.length - 8);
    const heartbeat = { sequence: this.#heartbeats, assignmentSequence: this.#assignmentSequence, heldCount: this.#held.size, heldDigest };
    const { answer, cancels } = await this.client.heartbeat({ streamId: this.#streamId, heartbeat }, { signal: this.#closed.signal });
    this.#listHeld ||= answer?.listHeld ?? false;
    for (const { token } of cancels) this.#held.get(keyOf(token))?.controller.abort();
  }

  /** Repeats a call until its response has come. */
  async #persist<T>(method: "poll" | "reportResults", call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const response = await call();
        if (!this.#options.loses?.(method)) return response;
      } catch (caught) {
        const error = ConnectError.from(caught);
        const reason = errorInfoOf(error)?.reason;
        const passing = error.code === Code.Unavailable || reason === "HELLO_REQUIRED" || (method === "reportResults" && reason === "STREAM_UNKNOWN");
        if (!passing || this.#closed.signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

function keyOf(token: Uint8Array): string {
  return Buffer.from(token).toString("hex");
}
