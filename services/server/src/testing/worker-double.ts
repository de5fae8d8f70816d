import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type AttemptCommand,
  AttemptCommandSchema,
  type AttemptResult,
  AttemptResultSchema,
  WorkerService,
  WorkRequestSchema,
  type WorkResponse,
  WorkResponseSchema,
} from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { createGrpcConnection, type FrameStream, type GrpcConnection, openFrameStream } from "@runlane/sdk/internal";

/** How a worker is set up. */
export interface WorkerDoubleOptions {
  address: string;
  secretKey: string;
  workerId: string;
  slots: number;
  /** Milliseconds between heartbeats. The server asks for 1,000; more of them find sooner what was lost last. */
  heartbeatMs: number;
}

/** An attempt that the worker holds, with what it must say of it until it is answered. */
interface Held {
  readonly token: Uint8Array;
  readonly runId: string;
  command: AttemptCommand | undefined;
  waits: boolean;
  result: AttemptResult | undefined;
}

/**
 * A worker that keeps to the protocol: it holds what it was given until there is a receipt, says all that was not answered again after each Welcome, and says Hello when it is asked to. Its
 * "code" returns the run's id a few turns of the event loop later; that of the task "parent" triggers two leaves before, and waits for them.
 */
export class WorkerDouble {
  /** Ids of the runs whose code it started, once for each time. */
  readonly started: string[] = [];
  readonly #options: WorkerDoubleOptions;
  readonly #connection: GrpcConnection;
  readonly #stream: FrameStream;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  #welcomed = false;
  #assignmentSequence = 0n;
  #heartbeats = 0n;
  /** How often it has said Hello. */
  hellos = 0;
  /** What its stream ended with; undefined while it is open. */
  ended: Error | undefined;

  constructor(options: WorkerDoubleOptions) {
    this.#options = options;
    this.#connection = createGrpcConnection(options.address, options.secretKey);
    this.#stream = openFrameStream(this.#connection, WorkerService.method.work, {
      onFrame: (bytes) => this.#receive(fromBinary(WorkResponseSchema, bytes)),
      onClose: (error) => {
        this.ended = error ?? new Error("the server has ended the stream");
      },
    });
    this.#greet();
    this.#timer = setInterval(() => this.#beat(), options.heartbeatMs);
  }

  /** Attempts without a receipt. */
  get heldCount(): number {
    return this.#held.size;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stream.cancel();
    this.#connection.close();
  }

  #greet(): void {
    this.#welcomed = false;
    this.hellos += 1;
    const { workerId, slots } = this.#options;
    const tasks = ["leaf", "parent"].map((id) => ({ id, maxAttempts: 1 }));
    this.#send({ hello: { protocolRevision: 1, workerId, incarnation: 1n, buildId: "double", slots, tasks, held: this.#heldList() } });
  }

  #beat(): void {
    if (!this.#welcomed) return;
    this.#heartbeats += 1n;
    let heldDigest = 0n;
    for (const { token } of this.#held.values()) heldDigest ^= Buffer.from(token).readBigUInt64BE(token.length - 8);
    this.#send({ heartbeat: { sequence: this.#heartbeats, assignmentSequence: this.#assignmentSequence, heldCount: this.#held.size, heldDigest } });
  }

  #receive(frame: WorkResponse): void {
    if (frame.helloAgain) return this.#greet();
    if (frame.welcome) {
      this.#welcomed = true;
      for (const held of this.#held.values()) this.#say(held);
    }
    if (!this.#welcomed) return;
    for (const { token, sequence, runId, taskId } of frame.assignments) {
      if (sequence > this.#assignmentSequence) this.#assignmentSequence = sequence;
      if (!this.#held.has(keyOf(token))) this.#start({ token, runId, command: undefined, waits: false, result: undefined }, taskId);
      this.#send({ accepted: [token] });
    }
    for (const { token } of frame.receipts) this.#held.delete(keyOf(token));
    for (const { token } of frame.commandOutcomes) {
      const held = this.#held.get(keyOf(token));
      if (held) held.command = undefined;
    }
    for (const { token, more } of frame.resumes) {
      const held = this.#held.get(keyOf(token));
      if (!held?.waits || more) continue;
      held.waits = false;
      this.#return(held);
    }
    for (const token of frame.lost) this.#held.delete(keyOf(token));
    if (frame.heartbeat?.listHeld) this.#send({ heldList: { assignmentSequence: this.#assignmentSequence, held: this.#heldList() } });
  }

  #start(held: Held, taskId: string): void {
    this.#held.set(keyOf(held.token), held);
    this.started.push(held.runId);
    setTimeout(() => {
      if (taskId === "leaf") return this.#return(held);
      const value = { waitId: 1, items: [{ taskId: "leaf" }, { taskId: "leaf" }] };
      held.command = create(AttemptCommandSchema, { token: held.token, commandId: 1, command: { case: "triggerAndWait", value } });
      held.waits = true;
      this.#say(held);
    }, Math.random() * 10);
  }

  #return(held: Held): void {
    const data = new TextEncoder().encode(JSON.stringify(held.runId));
    held.result = create(AttemptResultSchema, { token: held.token, outcome: { case: "output", value: { data } } });
    this.#say(held);
  }

  /** Says what has not been answered. */
  #say({ command, result }: Held): void {
    if (!this.#welcomed) return;
    if (command) this.#send({ commands: [command] });
    if (result) this.#send({ results: [result] });
  }

  #heldList() {
    return Array.from(this.#held.values(), ({ token, waits }) => ({ token, openWaits: waits ? [1] : [] }));
  }

  #send(frame: MessageInitShape<typeof WorkRequestSchema>): void {
    this.#stream.send(toBinary(WorkRequestSchema, create(WorkRequestSchema, frame)));
  }
}

function keyOf(token: Uint8Array): string {
  return Buffer.from(token).toString("hex");
}
