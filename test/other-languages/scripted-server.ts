import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, type status } from "@grpc/grpc-js";
import {
  type AttemptResult,
  type Heartbeat,
  type Hello,
  type WorkRequest,
  WorkRequestSchema,
  WorkResponseSchema,
} from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { eventually } from "../support/eventually.js";
import { jsonPayload } from "../support/json-payload.js";
import type { OnCleanUp } from "../support/test-server.js";

type Call = ServerDuplexStream<WorkRequest, MessageInitShape<typeof WorkResponseSchema>>;
/**
 * A WorkerService that a test plays itself: it shows what a worker says when a server does what servers seldom do. It answers Hellos and heartbeats until it is
 * told not to.
 */
export class ScriptedServer {
  /** Hellos and heartbeats are answered. */
  answers = true;
  /** What came so far, and on which stream. */
  readonly received: { stream: number; frame: WorkRequest }[] = [];
  readonly #server = new Server();
  readonly #calls: Call[] = [];
  readonly #leaseMs: number;
  #port = 0;
  #assigned = 0n;

  /**
   * Starts one, on a port of its own.
   *
   * @param leaseMs milliseconds, default 30,000. A worker opens a new stream when it has heard nothing for part of it, and what a test then sends on the old one is
   * lost: a real server would assign it again, this one does not. So it is short only where the lease is what a test is about.
   */
  static async start(onCleanUp: OnCleanUp, leaseMs = 30_000): Promise<ScriptedServer> {
    const server = new ScriptedServer(leaseMs);
    const method = {
      path: "/runlane.v1.WorkerService/Work",
      requestStream: true,
      responseStream: true,
      requestSerialize: (frame: WorkRequest) => Buffer.from(toBinary(WorkRequestSchema, frame)),
      requestDeserialize: (bytes: Buffer) => fromBinary(WorkRequestSchema, new Uint8Array(bytes)),
      responseSerialize: (frame: MessageInitShape<typeof WorkResponseSchema>) => Buffer.from(toBinary(WorkResponseSchema, create(WorkResponseSchema, frame))),
      responseDeserialize: (bytes: Buffer) => fromBinary(WorkResponseSchema, bytes),
    };
    server.#server.addService({ work: method }, { work: (call: Call) => server.#serve(call) });
    server.#port = await new Promise((resolve, reject) => {
      server.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
    });
    onCleanUp(() => server.#server.forceShutdown());
    return server;
  }

  private constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** What a worker needs in its environment. */
  get env(): Record<string, string> {
    return { RUNLANE_ADDRESS: `http://127.0.0.1:${this.#port}`, RUNLANE_SECRET_KEY: "rl_dev_scripted" };
  }

  /** The latest stream. */
  get stream(): number {
    return this.#calls.length;
  }

  get hellos(): Hello[] {
    return this.received.flatMap(({ frame }) => frame.hello ?? []);
  }

  get heartbeats(): Heartbeat[] {
    return this.received.flatMap(({ frame }) => frame.heartbeat ?? []);
  }

  /** Results of an attempt, in the order in which they came. */
  results(token: Uint8Array): AttemptResult[] {
    return this.received.flatMap(({ frame }) => frame.results).filter((result) => Buffer.compare(result.token, token) === 0);
  }

  /** Whether a list of tokens has come that has this one. */
  named(token: Uint8Array, field: "accepted" | "cancelConfirmed"): boolean {
    return this.received.some(({ frame }) => frame[field].some((named) => Buffer.compare(named, token) === 0));
  }

  /** Waits for a Hello. */
  hello(count = 1): Promise<Hello> {
    return eventually(`Hello ${count} comes`, () => this.hellos[count - 1]);
  }

  /** Sends a frame on the latest stream. */
  send(frame: MessageInitShape<typeof WorkResponseSchema>): void {
    this.#calls.at(-1)?.write(frame);
  }

  /** Answers a Hello. */
  welcome(): void {
    const times = { heartbeatInterval: durationFromMs(100), leaseDuration: durationFromMs(this.#leaseMs) };
    this.send({ welcome: { protocolRevision: 1, sessionId: "scripted", ...times } });
  }

  /** Assigns an attempt; its token. */
  assign(taskId: string, payload?: unknown, attemptNumber = 1): Uint8Array {
    this.#assigned += 1n;
    const token = Uint8Array.from({ length: 12 }, (_, byte) => Number(this.#assigned) * 16 + byte);
    this.send({ assignments: [{ token, taskId, sequence: this.#assigned, attemptNumber, ...(payload !== undefined && { payload: jsonPayload(payload) }) }] });
    return token;
  }

  /** Ends the latest stream with an error. */
  fail(code: status, details: string): void {
    this.#calls.at(-1)?.emit("error", { code, details, metadata: new Metadata() });
  }

  #serve(call: Call): void {
    this.#calls.push(call);
    const stream = this.stream;
    call.on("error", () => {});
    call.on("data", (frame: WorkRequest) => {
      this.received.push({ stream, frame });
      if (!this.answers) return;
      if (frame.hello) this.welcome();
      if (frame.heartbeat) call.write({ heartbeat: { sequence: frame.heartbeat.sequence } });
    });
  }
}
