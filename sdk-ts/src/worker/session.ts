import { setTimeout as sleep } from "node:timers/promises";
import { toBinary } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type Hello, type Welcome, WorkerService, WorkRequestSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { type Backoff, createBackoff } from "../client/backoff.js";
import type { ConnectionSource } from "../client/connection-source.js";
import { type FrameStream, openFrameStream } from "../client/frame-stream.js";
import type { GrpcConnection } from "../client/grpc-connection.js";
import { errorInfoOf } from "../client/grpc-error.js";
import { plainReason } from "../client/unreachable.js";
import type { HeldAttempts } from "./held-attempts.js";
import { Lease } from "./lease.js";
import { emptyRequest, Outbound } from "./outbound.js";
import { readServerFrame, type ServerFrame } from "./passing-frames.js";
import type { WorkerLog } from "./worker-log.js";

/** An acceptance waits at most this long for a result to ride with, in milliseconds. The protocol allows 5. */
const acceptanceDelayMs = 4;
/** How long a stream may be silent before the worker opens another, as a part of the lease: so two more can be tried before it ends. */
const silencePart = 1 / 3;
/** A stream is not called silent before it has missed this many heartbeats. */
const missedBeats = 2.5;
/** How long the end of the stream may take when the worker leaves, in milliseconds. */
const farewellMs = 500;
/** How long to wait for the first Welcome, in milliseconds: there is no lease to measure by. */
const greetingMs = 5_000;

/** A server that answers a first Hello with one of these will answer the next one so too. Later ones may mean that the server is being set up anew. */
const finalCodes = new Set([Code.Unauthenticated, Code.PermissionDenied, Code.InvalidArgument, Code.FailedPrecondition, Code.Unimplemented]);

/**
 * Where a session stands.
 *
 * - `away`: no stream; a timer opens the next one.
 * - `greeting`: Hello is on its way, and nothing is heard or said before its Welcome.
 * - `open`: frames flow.
 * - `closed`: for good.
 */
type Phase = "away" | "greeting" | "open" | "closed";

/** What a session asks of its worker. */
export interface SessionHost {
  readonly held: HeldAttempts;
  /** What to greet the server with, the held attempts included. */
  hello(): Hello;
  /** The server knows this worker (again): everything without a receipt or an answer must go into `outbound` once more. `anew` is false if it only wanted another Hello on the same stream. */
  welcomed(welcome: Welcome, outbound: Outbound, anew: boolean): void;
  /** A frame of an open session. Its heartbeat is handled here. */
  receive(frame: ServerFrame): void;
  /** The server may give the attempts to others from half a second on: their code must end now. */
  leaseEnded(): void;
  /** The server does not want this worker, and trying again is of no use. */
  refused(error: ConnectError): void;
}

/**
 * The session of a worker with the server: one stream at a time, opened again with growing delays whenever it breaks; greetings, heartbeats and the lease. All that is to
 * be said in one turn of the event loop leaves in one frame.
 */
export class Session {
  readonly outbound = new Outbound();
  readonly #host: SessionHost;
  readonly #source: ConnectionSource;
  readonly #log: WorkerLog;
  readonly #backoff: Backoff = createBackoff({ mostMs: 2_000 });
  readonly #lease: Lease;
  readonly #keepsAlive: boolean;
  #phase: Phase = "away";
  #stream: FrameStream | undefined;
  #sessionId = "";
  /** Highest Assignment.sequence of the session that has arrived. */
  #assignmentSequence = 0;
  /** The server has asked for the list of what is held; it leaves with the next frame. */
  #listDue = false;
  #silenceLimitMs = greetingMs;
  /** The stream of the last Welcome; undefined before the first. */
  #welcomedStream: FrameStream | undefined;
  /** The reason of the last failure that was logged: a server that is away is mentioned once. */
  #complaint = "";
  #flushScheduled = false;
  #acceptanceTimer: NodeJS.Timeout | undefined;
  #reopenTimer: NodeJS.Timeout | undefined;
  #onStreamEnd: (() => void) | undefined;
  /** Somebody waits for the answer to this heartbeat, or the end of its stream. */
  #probe: { readonly sequence: bigint; readonly answered: () => void } | undefined;
  #silenceTimer: NodeJS.Timeout | undefined;
  #heartbeatTimer: NodeJS.Timeout | undefined;

  /** `keepsAlive` says whether the process lives as long as the session. */
  constructor(host: SessionHost, source: ConnectionSource, log: WorkerLog, keepsAlive = true) {
    this.#host = host;
    this.#source = source;
    this.#log = log;
    this.#keepsAlive = keepsAlive;
    this.#lease = new Lease(() => this.#host.leaseEnded(), keepsAlive);
  }

  /** Opens the first stream. */
  open(): void {
    if (this.#phase !== "away") return;
    clearTimeout(this.#reopenTimer);
    this.#phase = "greeting";
    const connection = this.#source.current();
    const stream: FrameStream = openFrameStream(connection, WorkerService.method.work, {
      onFrame: (frame) => {
        if (this.#stream === stream) this.#receive(readServerFrame(frame));
      },
      onClose: (error) => {
        if (this.#stream === stream) this.#streamEnded(error, connection);
      },
    });
    this.#stream = stream;
    this.#lease.streamOpened();
    this.#greet();
  }

  /** Says what `outbound` holds, at the end of this turn. */
  saySoon(): void {
    if (this.#flushScheduled || this.#phase !== "open") return;
    this.#flushScheduled = true;
    setImmediate(this.#flush);
  }

  /** Says it within a few milliseconds; made for acceptances, which a result may make needless. */
  sayLater(): void {
    if (this.#flushScheduled || this.#phase !== "open") return;
    this.#acceptanceTimer ??= setTimeout(this.#flush, acceptanceDelayMs);
  }

  /**
   * Resolves when the server has heard all that was said so far, and what it had said until then has arrived: it has answered a heartbeat that is sent now. At once if there is no open stream;
   * otherwise at the latest when it ends.
   */
  async heard(): Promise<void> {
    if (this.#phase !== "open") return;
    await new Promise<void>((answered) => {
      this.#probe = { sequence: this.#sendHeartbeat(), answered };
    });
  }

  /** Ends the session for good, after what was said last. Resolves when the stream has ended, or does not end. */
  async close(): Promise<void> {
    if (this.#phase === "open") this.#flush();
    this.#phase = "closed";
    this.#stopTimers();
    this.#lease.stop();
    clearTimeout(this.#reopenTimer);
    if (this.#stream === undefined) return;
    this.#stream.end();
    await Promise.race([new Promise<void>((resolve) => (this.#onStreamEnd = resolve)), sleep(farewellMs, undefined, { ref: false })]);
    this.#source.close();
  }

  #greet(): void {
    this.#phase = "greeting";
    this.#stopTimers();
    this.#silenceTimer = setTimeout(() => this.#abandonStream("the server does not answer"), this.#silenceLimitMs);
    this.#lease.greeted();
    this.#stream?.send(toBinary(WorkRequestSchema, { ...emptyRequest(), hello: this.#host.hello() }));
  }

  #receive(frame: ServerFrame): void {
    if (frame.rest?.helloAgain && this.#phase !== "closed") this.#greet();
    else if (this.#phase === "greeting" && frame.rest?.welcome) this.#welcome(frame.rest.welcome, frame);
    else if (this.#phase === "open") this.#take(frame);
  }

  #welcome(welcome: Welcome, frame: ServerFrame): void {
    this.#phase = "open";
    this.#backoff.reset();
    this.#complaint = "";
    this.#stopTimers();
    if (welcome.sessionId !== this.#sessionId) {
      this.#sessionId = welcome.sessionId;
      this.#assignmentSequence = 0;
    }
    const interval = milliseconds(welcome.heartbeatInterval, 1_000);
    const leaseMs = milliseconds(welcome.leaseDuration, 10_000);
    this.#lease.welcomed(leaseMs);
    this.#silenceLimitMs = Math.max(leaseMs * silencePart, interval * missedBeats);
    this.#heartbeatTimer = setInterval(() => this.#beat(), interval);
    if (!this.#keepsAlive) this.#heartbeatTimer.unref();
    const anew = this.#welcomedStream !== this.#stream;
    this.#welcomedStream = this.#stream;
    this.#listDue = false;
    this.outbound.clear();
    this.#host.welcomed(welcome, this.outbound, anew);
    this.#take(frame);
    this.saySoon();
  }

  #take(frame: ServerFrame): void {
    for (const { sequence } of frame.assignments) {
      if (sequence > this.#assignmentSequence) this.#assignmentSequence = sequence;
    }
    const answer = frame.rest?.heartbeat;
    if (answer) {
      this.#lease.answered(answer.sequence);
      if (answer.listHeld) {
        this.#listDue = true;
        this.saySoon();
      }
    }
    this.#host.receive(frame);
    if (answer && this.#probe && answer.sequence >= this.#probe.sequence) this.#endProbe();
    if (frame.rest?.drain) this.#abandonStream("the server asks its workers to connect again");
  }

  #beat(): void {
    if (this.#lease.silenceMs > this.#silenceLimitMs) {
      this.#abandonStream("the server does not answer");
      return;
    }
    this.#sendHeartbeat();
  }

  #sendHeartbeat(): bigint {
    const { count, digest } = this.#host.held;
    const sequence = this.#lease.beat();
    this.outbound.heartbeat({
      $typeName: "runlane.v1.Heartbeat",
      sequence,
      assignmentSequence: BigInt(this.#assignmentSequence),
      heldCount: count,
      heldDigest: digest,
    });
    this.#flush();
    return sequence;
  }

  #endProbe(): void {
    this.#probe?.answered();
    this.#probe = undefined;
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    clearTimeout(this.#acceptanceTimer);
    this.#acceptanceTimer = undefined;
    if (this.#phase !== "open") return;
    // Not before: what is accepted in this very frame must be in the list, or the server takes it for lost.
    if (this.#listDue) this.outbound.heldList(BigInt(this.#assignmentSequence), this.#host.held.list());
    this.#listDue = false;
    if (this.outbound.isEmpty) return;
    for (const frame of this.outbound.take()) this.#stream?.send(frame);
  };

  #abandonStream(why: string): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#endProbe();
    stream?.cancel();
    this.#source.renew(this.#source.current());
    this.#reopen(why);
  }

  #streamEnded(error: ConnectError | undefined, connection: GrpcConnection): void {
    this.#stream = undefined;
    this.#endProbe();
    this.#onStreamEnd?.();
    if (this.#phase === "closed") return;
    if (error && isRefusal(error, this.#welcomedStream !== undefined)) {
      void this.close();
      this.#host.refused(error);
      return;
    }
    this.#source.renew(connection);
    this.#reopen(error ? plainReason(error) : "the server has ended the stream");
  }

  #reopen(why: string): void {
    this.#phase = "away";
    this.#stopTimers();
    if (why !== this.#complaint) this.#log(`not connected to ${this.#source.current().address.text}: ${why}; trying again`);
    this.#complaint = why;
    this.#reopenTimer = setTimeout(() => this.open(), this.#backoff.next());
  }

  #stopTimers(): void {
    clearTimeout(this.#silenceTimer);
    clearInterval(this.#heartbeatTimer);
    clearTimeout(this.#acceptanceTimer);
    this.#acceptanceTimer = undefined;
  }
}

/** True if another stream would fare no better: the worker has been superseded, or the server has never taken it and says why. */
function isRefusal(error: ConnectError, known: boolean): boolean {
  if (errorInfoOf(error)?.reason === "SESSION_SUPERSEDED") return true;
  return !known && finalCodes.has(error.code);
}

function milliseconds(duration: Duration | undefined, otherwise: number): number {
  const given = duration === undefined ? 0 : durationMs(duration);
  return given > 0 ? given : otherwise;
}
