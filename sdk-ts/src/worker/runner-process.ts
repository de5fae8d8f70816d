import type { Duplex } from "node:stream";
import { toBinary } from "@bufbuild/protobuf";
import { type RunnerRequest, RunnerRequestSchema, type RunnerSession } from "#gen/runlane/internal/v1/runner_pb.js";
import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import type { CommandOutcome, Resume } from "#gen/runlane/v1/worker_service_pb.js";
import { appendFields } from "../wire/field-writer.js";
import { internalFailure } from "./failure.js";
import { FramePipe } from "./frame-pipe.js";
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
  /** Attempts whose code may run in it. */
  readonly attempts = new Set<TokenKey>();
  state: RunnerState = "starting";
  /** It has loaded the task files at least. */
  wasReady = false;
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

  constructor(child: RunnerChild, machine: string | undefined, listener: RunnerListener) {
    this.#child = child;
    this.machine = machine;
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
      const dead = () => this.#die(this.#cause ?? exitFailure(code, signal, this.#stderrTail));
      if (frames.closed) dead();
      else {
        frames.once("close", dead);
        setTimeout(dead, lastWordsMs);
      }
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
  return { $typeName: "runlane.internal.v1.RunnerRequest", assignments: [], commandOutcomes: [], resumes: [], aborts: [] };
}

/** What a process died of, by its exit status and its last words. */
function exitFailure(code: number | null, signal: NodeJS.Signals | null, lastWords: string): Failure {
  if (/JavaScript heap out of memory|Reached heap limit/.test(lastWords))
    return internalFailure("TASK_PROCESS_OOM_KILLED", "the heap of the attempt's process was full");
  switch (signal) {
    case "SIGKILL":
      return internalFailure("TASK_PROCESS_MAYBE_OOM_KILLED", "the attempt's process was killed (SIGKILL), perhaps because memory ran out");
    case "SIGTERM":
      return internalFailure("TASK_PROCESS_SIGTERM", "the attempt's process was told to end (SIGTERM)");
    case "SIGSEGV":
      return internalFailure("TASK_PROCESS_SIGSEGV", "the attempt's process broke down in native code (SIGSEGV)");
    default: {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      return internalFailure("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", `the attempt's process ended ${how}`);
    }
  }
}
