import type { Duplex } from "node:stream";
import { toBinary } from "@bufbuild/protobuf";
import { type RunnerRequest, RunnerRequestSchema, type RunnerSession } from "#gen/runlane/internal/v1/runner_pb.js";
import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import type { CommandOutcome, Resume } from "#gen/runlane/v1/worker_service_pb.js";
import { type MachinePreset, machinePreset } from "../machine/machine-preset.js";
import { appendFields } from "../wire/field-writer.js";
import { exitFailure } from "./exit-failure.js";
import { internalFailure } from "./failure.js";
import { FramePipe } from "./frame-pipe.js";
import type { MemoryGroup } from "./memory-groups.js";
import type { AttemptTerms } from "./out-of-memory.js";
import { type PassingAssignment, type RunnerFrame, readRunnerFrame } from "./passing-frames.js";
import type { RunnerChild } from "./runner-spawn.js";
import { keyToken, type TokenKey } from "./token-key.js";

/** Number of RunnerRequest.assignments. */
const assignmentsField = 2;
/** How long what a process wrote before its end may take to arrive after it, in milliseconds. */
const lastWordsMs = 50;
/** Bytes of stderr that are kept, to see what a process died of. */
const stderrTailLength = 8_192;
/** How long a process that is not needed any more may take to end, in milliseconds. */
const endMs = 2_000;

/**
 * Where a runner process stands.
 *
 * - `starting`: it loads the task files; what is sent to it waits in its pipe.
 * - `ready`: it executes.
 * - `retired`: it takes nothing new, and is ended when its last attempt has.
 * - `ending`: it has been told to end.
 * - `dead`: its end has been reported.
 */
export type RunnerState = "starting" | "ready" | "retired" | "ending" | "dead";

/** What a runner process tells. */
export interface RunnerListener {
  onFrame(runner: RunnerProcess, frame: RunnerFrame): void;
  /** It has ended, and everything that it said before has been heard. `failure` says what of, for its attempts. */
  onDeath(runner: RunnerProcess, failure: Failure): void;
}

/** A runner process, as its supervisor sees it. What is sent to it in one turn of the event loop leaves in one frame. */
export class RunnerProcess {
  /** For an attempt at a time: the machine's name, or "" for none. Undefined: shared by many. */
  readonly machine: string | undefined;
  /** What its machine has; undefined without one. */
  readonly preset: MachinePreset | undefined;
  /** When its last attempt ended, by the monotonic clock; for a process of its own. */
  idleSince = 0;
  /** Of the present attempt, for a process of its own. */
  terms: (AttemptTerms & { readonly taskId: string }) | undefined;
  /** Attempts whose code may run in it. */
  readonly attempts = new Set<TokenKey>();
  state: RunnerState = "starting";
  /** It has loaded the task files at least. */
  wasReady = false;
  /** It was asked whether its event loop turns, and has not answered so far. Since when, by the monotonic clock. */
  pinged: number | undefined;
  /** Rounds since then; see RunnerRounds. */
  silentRounds = 0;
  readonly #child: RunnerChild;
  readonly #listener: RunnerListener;
  readonly #pipe: FramePipe;
  #frame = emptyFrame();
  /** Encoded Assignments for the frame. */
  #assignments: Uint8Array[] = [];
  #flushScheduled = false;
  #stderrTail = "";
  /** What its attempts are told to have died of, if not of what the exit status says. */
  #cause: Failure | undefined;

  constructor(child: RunnerChild, machine: string | undefined, listener: RunnerListener, group?: MemoryGroup) {
    this.#child = child;
    this.machine = machine;
    this.preset = machine === undefined ? undefined : machinePreset(machine);
    this.#listener = listener;
    const frames = child.stdio[3] as Duplex;
    const lifeline = child.stdio[4] as Duplex;
    this.#pipe = new FramePipe(frames, (frame) => this.#receive(readRunnerFrame(frame)));
    // A broken pipe is the end of the process, which is told below.
    frames.on("error", () => {});
    lifeline.on("error", () => {});
    child.stderr!.on("data", (chunk: Buffer) => {
      process.stderr.write(chunk);
      this.#stderrTail = (this.#stderrTail + chunk.toString("latin1")).slice(-stderrTailLength);
    });
    child.once("error", (error) =>
      this.#die(internalFailure("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", `no process could be started: ${error.message}`, error)),
    );
    child.once("exit", (code, signal) => {
      const oomKilled = group?.oomKilled ?? false;
      group?.remove();
      const dead = () => this.#die(this.#cause ?? exitFailure({ code, signal, lastWords: this.#stderrTail, oomKilled, machine: this.preset }));
      const deadIfHeard = () => {
        if (frames.closed && child.stderr!.closed) dead();
      };
      frames.once("close", deadIfHeard);
      child.stderr!.once("close", deadIfHeard);
      setTimeout(dead, lastWordsMs);
      deadIfHeard();
    });
  }

  get isShared(): boolean {
    return this.machine === undefined;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Tells it of the session, before the next assignment. */
  set session(session: RunnerSession) {
    this.#frame.session = session;
    this.#schedule();
  }

  start(assignment: PassingAssignment): void {
    this.attempts.add(assignment.key);
    this.#assignments.push(assignment.encoded);
    if (assignment.journal) this.#frame.journalParts.push(...assignment.journal);
    this.#schedule();
  }

  /** Asks it to end an attempt that waits, where it stands. */
  evict(key: TokenKey): void {
    this.#frame.evictions.push(keyToken(key));
    this.#schedule();
  }

  answer(outcome: CommandOutcome): void {
    this.#frame.commandOutcomes.push(outcome);
    this.#schedule();
  }

  resume(resume: Resume): void {
    this.#frame.resumes.push(resume);
    this.#schedule();
  }

  abort(key: TokenKey, reason: string): void {
    this.#frame.aborts.push({ $typeName: "runlane.internal.v1.AbortAttempt", token: keyToken(key), reason });
    this.#schedule();
  }

  /** Asks whether its event loop turns, unless an answer is due already. */
  ping(): void {
    if (this.pinged !== undefined) return;
    this.pinged = performance.now();
    this.silentRounds = 0;
    this.#frame.ping = true;
    this.#schedule();
  }

  /** Ends it at once. `cause` is what its attempts died of, if the signal is not the whole story. */
  kill(cause?: Failure): void {
    if (this.state === "dead") return;
    this.#cause ??= cause;
    this.state = "ending";
    this.#child.kill("SIGKILL");
  }

  /** Ends it, with a chance to clean up; made for processes without attempts. */
  end(): void {
    if (this.state === "ending" || this.state === "dead") return;
    this.state = "ending";
    this.#child.kill("SIGTERM");
    setTimeout(() => this.kill(), endMs).unref();
  }

  #receive(frame: RunnerFrame): void {
    if (frame.rest?.ready) {
      this.wasReady = true;
      if (this.state === "starting") this.state = "ready";
    }
    if (frame.rest?.pong) this.pinged = undefined;
    this.#listener.onFrame(this, frame);
  }

  #die(failure: Failure): void {
    if (this.state === "dead") return;
    this.state = "dead";
    this.#listener.onDeath(this, failure);
  }

  #schedule(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    const frame = toBinary(RunnerRequestSchema, this.#frame);
    this.#frame = emptyFrame();
    this.#pipe.send(appendFields(frame, { field: assignmentsField, values: this.#assignments }));
    this.#assignments = [];
  };
}

function emptyFrame(): RunnerRequest {
  return {
    $typeName: "runlane.internal.v1.RunnerRequest",
    assignments: [],
    commandOutcomes: [],
    resumes: [],
    aborts: [],
    ping: false,
    journalParts: [],
    evictions: [],
  };
}
