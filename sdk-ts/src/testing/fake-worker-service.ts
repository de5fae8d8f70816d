import { create, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PayloadService } from "#gen/runlane/v1/payload_service_pb.js";
import {
  type Assignment,
  AssignmentSchema,
  type AttemptCommand,
  type AttemptFailure,
  type AttemptResult,
  type Hello,
  ResultDisposition,
  WorkerService,
  type WorkRequest,
  type WorkResponseSchema,
} from "#gen/runlane/v1/worker_service_pb.js";
import { FakePayloadService } from "./fake-payload-service.js";
import { type FakeCall, type FakeServer, startFakeServer } from "./fake-server.js";

type WorkCall = FakeCall<WorkRequest, MessageInitShape<typeof WorkResponseSchema>>;

/**
 * A WorkerService that does what each test tells it. By itself it answers Hellos and heartbeats, and gives receipts; each of these can be switched off. It notes everything
 * that a worker says.
 */
export class FakeWorkerService {
  /** Length of the lease, in milliseconds. */
  leaseMs = 10_000;
  /** Time between heartbeats, in milliseconds. */
  heartbeatMs = 100;
  sessionId = "session_1";
  /** What the server understands. */
  capabilities = ["journal"];
  answersHello = true;
  answersHeartbeats = true;
  givesReceipts = true;
  /** Called with each frame before it is answered; returning true leaves it without an answer. */
  onFrame: (frame: WorkRequest, call: WorkCall) => unknown = () => {};

  /** Payloads that are kept apart. */
  readonly payloads = new FakePayloadService();
  /** Frames in the order in which they came. */
  readonly frames: { at: number; stream: number; frame: WorkRequest }[] = [];
  streams = 0;
  #call: WorkCall | undefined;
  #server: FakeServer | undefined;
  #sequence = 0n;
  #nonce = 0;

  async start(port = 0): Promise<FakeServer> {
    const services: [DescService, object][] = [
      [WorkerService, { work: (call: WorkCall) => this.#stream(call) }],
      [PayloadService, this.payloads.handlers],
    ];
    this.#server = await startFakeServer(services, { port });
    return this.#server;
  }

  get address(): string {
    return this.#server!.address;
  }

  get hellos(): Hello[] {
    return this.frames.flatMap(({ frame }) => frame.hello ?? []);
  }

  get accepted(): string[] {
    return this.frames.flatMap(({ frame }) => frame.accepted.map(hex));
  }

  get results(): AttemptResult[] {
    return this.frames.flatMap(({ frame }) => frame.results);
  }

  get commands(): AttemptCommand[] {
    return this.frames.flatMap(({ frame }) => frame.commands);
  }

  get confirmed(): string[] {
    return this.frames.flatMap(({ frame }) => frame.cancelConfirmed.map(hex));
  }

  /** Results of the attempt with this token. */
  resultsOf(token: Uint8Array): AttemptResult[] {
    return this.results.filter((result) => hex(result.token) === hex(token));
  }

  /** Waits until `look` finds something. */
  async until<T>(look: () => T | undefined | false, atMostMs = 30_000): Promise<T> {
    const deadline = performance.now() + atMostMs;
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw new Error(`waited ${atMostMs} ms in vain: ${look.toString()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Waits until a worker has said Hello `times` times. */
  async hello(times = 1): Promise<Hello> {
    return this.until(() => this.hellos[times - 1]);
  }

  /** Waits for the result of an attempt. */
  async result(token: Uint8Array): Promise<AttemptResult> {
    return this.until(() => this.resultsOf(token)[0]);
  }

  /** Sends a frame on the present stream. */
  send(frame: MessageInitShape<typeof WorkResponseSchema>): void {
    this.#call?.send(frame);
  }

  /** An assignment that was not sent so far. */
  assignment(taskId: string, payload?: unknown, more: MessageInitShape<typeof AssignmentSchema> = {}): Assignment {
    this.#nonce += 1;
    const token = Buffer.alloc(12);
    token.writeUInt32BE(this.#nonce, 0);
    token.writeUInt32BE(Math.imul(this.#nonce, 0x9e3779b1) >>> 0, 4);
    token.writeUInt32BE(Math.imul(this.#nonce, 0x85ebca6b) >>> 0, 8);
    this.#sequence += 1n;
    const data = payload === undefined ? new Uint8Array(0) : Buffer.from(JSON.stringify(payload));
    return create(AssignmentSchema, {
      token,
      sequence: this.#sequence,
      runId: `run_${this.#nonce}`,
      taskId,
      attemptNumber: 1,
      maxAttempts: 3,
      payload: { contentType: "application/json", data },
      queue: `task/${taskId}`,
      createTimeMs: 1_700_000_000_000n,
      startTimeMs: 1_700_000_000_500n,
      ...(more as object),
    });
  }

  /** Sends an assignment; its token. */
  assign(taskId: string, payload?: unknown, more: MessageInitShape<typeof AssignmentSchema> = {}): Uint8Array {
    const assignment = this.assignment(taskId, payload, more);
    this.send({ assignments: [assignment] });
    return assignment.token;
  }

  /** Cuts the connection, as a broken network would. */
  cut(): void {
    this.#server?.cut();
  }

  /** Gives every receipt that is owed, and from now on at once. */
  settle(): void {
    this.givesReceipts = true;
    const said = [...this.results.map((result) => result.token), ...this.frames.flatMap(({ frame }) => frame.cancelConfirmed)];
    this.send({ receipts: said.map((token) => ({ token, disposition: ResultDisposition.RECORDED })) });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  #stream(call: WorkCall): void {
    this.streams += 1;
    const stream = this.streams;
    this.#call = call;
    call.onEnd(() => call.end());
    call.onMessage((frame) => {
      this.frames.push({ at: performance.now(), stream, frame });
      if (this.onFrame(frame, call) === true) return;
      if (frame.hello && this.answersHello) call.send({ welcome: this.welcome() });
      if (frame.heartbeat && this.answersHeartbeats) call.send({ heartbeat: { sequence: frame.heartbeat.sequence } });
      const said = [...frame.results.map((result) => result.token), ...frame.cancelConfirmed];
      if (said.length > 0 && this.givesReceipts) call.send({ receipts: said.map((token) => ({ token, disposition: ResultDisposition.RECORDED })) });
    });
  }

  /** The Welcome that a Hello is answered with. */
  welcome() {
    return {
      protocolRevision: 1,
      sessionId: this.sessionId,
      heartbeatInterval: durationFromMs(this.heartbeatMs),
      leaseDuration: durationFromMs(this.leaseMs),
      version: "20261123.1",
      environment: "dev",
      capabilities: this.capabilities,
    };
  }
}

/** Bytes as text that tests can compare. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** What an attempt returned; undefined for "no value". Throws if it failed. */
export function outputOf({ outcome }: AttemptResult): unknown {
  if (outcome.case === "failure") throw new Error(`the attempt has failed: ${outcome.value.failure?.code} ${outcome.value.failure?.message}`);
  if (outcome.case !== "output") throw new Error(`the attempt has no output, but ${outcome.case}`);
  return outcome.value.data.length === 0 ? undefined : JSON.parse(Buffer.from(outcome.value.data).toString());
}

/** How an attempt failed. Throws if it did not. */
export function failureOf({ outcome }: AttemptResult): AttemptFailure {
  if (outcome.case !== "failure") throw new Error(`the attempt has not failed, but ${outcome.case}`);
  return outcome.value;
}
