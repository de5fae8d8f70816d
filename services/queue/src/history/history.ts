import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { errorOf, type Logger, type NatsCredentials, refusal } from "@runlane/platform";
import { StatusSchema } from "@runlane/platform/gen/google/rpc/status_pb.js";
import {
  type AwaitChangesRequest,
  AwaitChangesRequestSchema,
  type AwaitChangesResponse,
  AwaitChangesResponseSchema,
  type FindRunsRequest,
  FindRunsRequestSchema,
  type FindRunsResponse,
  FindRunsResponseSchema,
} from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { type Run, RunSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { logLineOf } from "../threads/log-line.js";
import type { FromThread, ThreadCall, ThreadData, ToThread } from "./thread-messages.js";

/** The entry of the thread, as it was built: sources cannot be run by a thread. */
const entry = fileURLToPath(new URL("../../dist/history/history-thread.js", import.meta.url));

/** Committed bytes that may be on their way to the thread. What would be more, the thread reads from the log when it has time. */
const mostOnTheWay = 32 * 1024 * 1024;
/** How long a call waits for a thread that starts. */
const patienceMs = 3_000;
const restartMs = { first: 100, most: 10_000 } as const;

/** History, as an owner and its service see it. */
export interface History {
  /** An owner begins to serve at `epoch`: from here on answers wait until history has the log up to there. The first one starts the thread. */
  begin(epoch: number): void;
  /** The owner committed a record. Costs the caller a copy of it. */
  feed(sequence: number, record: Uint8Array): void;
  /** The owner's last committed sequence. */
  readonly tail: number;
  /** See HistoryService. */
  find(request: FindRunsRequest): Promise<FindRunsResponse>;
  /** See HistoryService. */
  awaitChanges(request: AwaitChangesRequest): Promise<AwaitChangesResponse>;
  /** A run with payload and output, as it was at `sequence` of the log or later; undefined if there is none. @throws ConnectError UNAVAILABLE if history is not there yet. */
  read(environment: string, runId: string, sequence: number): Promise<Run | undefined>;
  /** Brings what it has to the disk, and says up to which sequence that is: it needs the log from there on. 0 while it is away. */
  secure(): Promise<number>;
  /** Writes what is not written, and stops. */
  close(): Promise<void>;
}

/** What history needs. */
export interface HistoryOptions {
  /** Path of its database; made anew from the log if it is not there. Nobody else may use it at the same time. */
  readonly file: string;
  readonly partition: number;
  /** The history has a connection of its own, as the user `queue`. */
  readonly nats: { readonly servers: string | string[] } & NatsCredentials;
  readonly logger: Logger;
}

interface Pending {
  readonly resolve: (response: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Prepares the history of a partition, which has a thread of its own, at low priority. The thread is started when an owner begins: before, it would take processor and disk from the owner that
 * replays the log, and nobody could ask it. A thread that fails is started again; until it serves, calls fail with UNAVAILABLE.
 */
export function startHistory(options: HistoryOptions): History {
  return new ThreadedHistory(options);
}

class ThreadedHistory implements History {
  readonly #options: HistoryOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #onOpen = new Set<() => void>();
  #worker: Worker | undefined;
  #open = false;
  #calls = 0;
  #tail = 0;
  #epoch = 0;
  #onTheWay = 0;
  #failures = 0;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  get tail(): number {
    return this.#tail;
  }

  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#tail = Math.max(this.#tail, epoch);
    if (!this.#worker && !this.#restart && !this.#closed) this.#start();
    if (this.#open) this.#send({ kind: "begin", epoch });
  }

  feed(sequence: number, record: Uint8Array): void {
    this.#tail = sequence;
    if (!this.#open) return;
    if (this.#onTheWay + record.length > mostOnTheWay) return this.#send({ kind: "know", sequence });
    this.#onTheWay += record.length;
    // A copy that is handed over; to send the bytes as they are would copy whatever buffer they are a part of.
    const copy = new Uint8Array(record);
    this.#worker?.postMessage({ kind: "record", sequence, record: copy } satisfies ToThread, [copy.buffer]);
  }

  async find(request: FindRunsRequest): Promise<FindRunsResponse> {
    const response = await this.#call({ method: "find", request: toBinary(FindRunsRequestSchema, this.#within(request)) });
    return fromBinary(FindRunsResponseSchema, response ?? new Uint8Array());
  }

  async awaitChanges(request: AwaitChangesRequest): Promise<AwaitChangesResponse> {
    // What is watched from now on must be told from now on, and what does not exist is only known at the end of the log.
    const open = request.open && { ...request.open, logSequence: BigInt(this.#tail) };
    const response = await this.#call({ method: "awaitChanges", request: toBinary(AwaitChangesRequestSchema, open ? { ...request, open } : request) });
    return fromBinary(AwaitChangesResponseSchema, response ?? new Uint8Array());
  }

  async read(environment: string, runId: string, sequence: number): Promise<Run | undefined> {
    const response = await this.#call({ method: "read", environment, runId, sequence });
    return response && fromBinary(RunSchema, response);
  }

  async secure(): Promise<number> {
    if (!this.#open) return 0;
    const response = await this.#call({ method: "secure" });
    return response ? Number(new TextDecoder().decode(response)) : 0;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#restart);
    const worker = this.#worker;
    if (!worker) return;
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    if (this.#open) {
      this.#send({ kind: "close" });
      // Rows that are lost come again from the log: no reason to wait for long.
      const late = setTimeout(() => void worker.terminate(), 2_000);
      await exited;
      clearTimeout(late);
    } else {
      await worker.terminate();
    }
    this.#failAll();
  }

  /** A position that the log never had, as a client of another installation may bring it, is the end of the log. */
  #within(request: FindRunsRequest): FindRunsRequest {
    return Number(request.logSequence) <= this.#tail ? request : { ...request, logSequence: BigInt(this.#tail) };
  }

  async #call(call: ThreadCall): Promise<Uint8Array | undefined> {
    if (!this.#open) await this.#opening();
    return await new Promise((resolve, reject) => {
      this.#calls += 1;
      this.#pending.set(this.#calls, { resolve, reject });
      this.#send({ kind: "call", id: this.#calls, ...call });
    });
  }

  /** Resolves when the thread has opened the file: it starts beside the server, and is there a moment later. @throws ConnectError UNAVAILABLE if that takes too long */
  #opening(): Promise<void> {
    if (this.#closed) return Promise.reject(notOpen());
    return new Promise((resolve, reject) => {
      const opened = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#onOpen.delete(opened);
        reject(notOpen());
      }, patienceMs);
      this.#onOpen.add(opened);
    });
  }

  #send(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #start(): void {
    this.#restart = undefined;
    const { file, partition, nats, logger } = this.#options;
    const worker = new Worker(entry, { workerData: { file, partition, nats, logLevel: logger.level } satisfies ThreadData, name: "history" });
    this.#worker = worker;
    worker.on("message", (message: FromThread) => this.#receive(message));
    worker.on("error", (error) => logger.error({ err: error }, "the thread of history failed"));
    worker.on("exit", () => this.#exited());
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case "open":
        this.#open = true;
        this.#failures = 0;
        if (this.#epoch > 0) this.#send({ kind: "begin", epoch: this.#epoch });
        this.#send({ kind: "know", sequence: this.#tail });
        for (const opened of this.#onOpen) opened();
        this.#onOpen.clear();
        return;
      case "took":
        this.#onTheWay -= message.bytes;
        return;
      case "answer":
        this.#take(message.id)?.resolve(message.response);
        return;
      case "refused":
        this.#take(message.id)?.reject(errorOf(fromBinary(StatusSchema, message.status)));
        return;
      case "log":
        logLineOf(this.#options.logger, message.line);
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #exited(): void {
    this.#open = false;
    this.#worker = undefined;
    this.#onTheWay = 0;
    this.#failAll();
    if (this.#closed) return;
    const delay = Math.min(restartMs.first * 2 ** this.#failures, restartMs.most);
    this.#failures += 1;
    this.#restart = setTimeout(() => this.#start(), delay);
  }

  #failAll(): void {
    for (const { reject } of this.#pending.values()) reject(notOpen());
    this.#pending.clear();
  }
}

function notOpen() {
  return refusal("HISTORY_REBUILDING", "history is being opened; repeat the request after the delay", { retryDelayMs: 500 });
}
