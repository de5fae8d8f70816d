import { AsyncResource } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { duplexPair, PassThrough } from "node:stream";
import { FramePipe } from "./frame-pipe.js";
import { Runner, type RunnerOptions } from "./runner.js";
import { readRunnerRequest } from "./runner-frames.js";
import type { RunnerChild } from "./runner-spawn.js";
import type { TaskLibrary } from "./task-library.js";

/** How a runner within this process is set up. */
export interface InProcessRunnerOptions extends Omit<RunnerOptions, "build" | "send"> {
  /** What it executes. */
  readonly library: TaskLibrary;
  /** The config's `project`. */
  readonly project?: string | undefined;
  /** Called with each frame, in either direction. */
  readonly onFrame: () => void;
}

// Attempts must not see what the code that triggers them keeps in its asynchronous context: a process of their own would not.
const outside = new AsyncResource("runlane.InProcessRunner");
const noFiles: RunnerOptions["build"]["filePaths"] = new Map();

/**
 * A runner that shares this process with its supervisor, which takes it for a process: the same frames go through the same kind of pipe. To kill it is to abort the signals of its code, and
 * to hear it no more.
 */
export class InProcessRunner extends EventEmitter implements RunnerChild {
  readonly pid = undefined;
  readonly stderr = new PassThrough();
  readonly stdio: RunnerChild["stdio"];
  #alive = true;
  readonly #close: () => void;

  constructor({ library, project, onFrame, ...options }: InProcessRunnerOptions) {
    super();
    const [runnerEnd, supervisorEnd] = duplexPair();
    this.stdio = [null, null, this.stderr, supervisorEnd, new PassThrough()];
    const runner = new Runner({
      ...options,
      build: { filePaths: noFiles, project },
      send: (frame) => {
        onFrame();
        pipe.send(frame);
      },
    });
    const pipe = new FramePipe(runnerEnd, (frame) => {
      onFrame();
      outside.runInAsyncScope(() => runner.receive(readRunnerRequest(frame)));
    });
    this.#close = () => {
      outside.runInAsyncScope(() => runner.abandon("the runner was ended"));
      runnerEnd.destroy();
      supervisorEnd.destroy();
      this.stderr.destroy();
    };
    runner.loaded(library);
  }

  kill(signal: NodeJS.Signals | number = "SIGTERM"): boolean {
    if (!this.#alive) return false;
    this.#alive = false;
    this.#close();
    queueMicrotask(() => this.emit("exit", null, signal));
    return true;
  }
}
