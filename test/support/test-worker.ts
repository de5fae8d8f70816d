import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Program, type ProgramOptions, repository, runlaneCommand } from "./program.js";
import type { OnCleanUp, TestServer } from "./test-server.js";

/** Settings of a worker. */
export interface TestWorkerOptions {
  /** Attempts at once. Default: the command's own. */
  concurrency?: number;
  /** More arguments for the command. */
  args?: string[];
  /** Added to its environment, and so to that of the tasks. */
  env?: ProgramOptions["env"];
  /** When to stop it. Default: when the test has finished. */
  onCleanUp?: OnCleanUp;
}

/** A worker, as `runlane worker` starts it, on the task files of a folder in test/fixtures. Runs wait for it, so a test need not. */
export class TestWorker {
  readonly program: Program;

  constructor(server: TestServer, fixture: string, options: TestWorkerOptions = {}) {
    const folder = join(repository, "test/fixtures", fixture);
    const concurrency = options.concurrency === undefined ? [] : ["--concurrency", String(options.concurrency)];
    this.program = new Program(runlaneCommand, ["worker", ".", ...concurrency, ...(options.args ?? [])], {
      cwd: folder,
      env: { ...server.env, ...options.env },
    });
    (options.onCleanUp ?? onTestFinished)(async () => void (await this.program.stop()));
  }
}
