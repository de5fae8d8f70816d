import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { eventually } from "./eventually.js";

/** The repository's folder. */
export const repository = resolve(import.meta.dirname, "../..");
/** The `runlane` command as it was built. */
export const runlaneCommand = join(repository, "services/server/dist/main.js");
// So that nothing outlives the tests, not even tests that are killed.
const leash = pathToFileURL(join(repository, "scripts/leash.mjs")).href;

/** Settings of a program that a test starts. */
export interface ProgramOptions {
  /** Working directory. Default: the repository. */
  cwd?: string;
  /** Added to the environment of the tests, from which settings of Runlane and Trigger.dev are removed. */
  env?: Record<string, string | undefined>;
  /** What it reads from standard input. Default: nothing. */
  input?: string;
}

/** A Node program that a test started: its output, its end, and ways to end it. It leads a process group of its own. */
export class Program {
  readonly #process: ChildProcess;
  #stdout = "";
  #stderr = "";
  /** Resolves when it has ended and all its output has arrived: exit code, or null if a signal ended it. */
  readonly ended: Promise<number | null>;

  /** Starts `node script ...args`. */
  constructor(script: string, args: string[], options: ProgramOptions = {}) {
    this.#process = spawn(process.execPath, ["--import", leash, script, ...args], {
      cwd: options.cwd ?? repository,
      env: { ...cleanEnvironment(), ...options.env, RUNLANE_LEASH: "1" },
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#process.stdin?.end(options.input);
    this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => (this.#stdout += text));
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    this.ended = new Promise((settle, fail) => {
      this.#process.once("close", (code) => settle(code));
      this.#process.once("error", fail);
    });
  }

  /** What it wrote to standard output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** What it wrote to standard error so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Everything that it wrote, for messages of failed tests. */
  get output(): string {
    return `${this.#stdout}${this.#stderr}`;
  }

  /** Its process id, which is also that of its group. */
  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error("the program could not be started");
    return pid;
  }

  /** True until it has ended. */
  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Waits for `probe` as `eventually` does, and fails early, with its output, if the program ends first. */
  async until<T>(what: string, probe: () => T | undefined | false | Promise<T | undefined | false>, within?: number): Promise<T> {
    const ended = this.ended.then((code) => {
      throw new Error(`the program ended with ${code} before this came true: ${what}\n${this.output}`);
    });
    return await Promise.race([eventually(what, probe, within), ended]);
  }

  /** Sends a signal to the program alone. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** SIGKILLs its whole process group, and waits for its end. */
  async kill(): Promise<void> {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // The group is empty already.
    }
    await this.ended;
  }

  /** SIGTERM, then after ten seconds SIGKILL to the whole group. Returns its exit code. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => void this.kill(), 10_000);
    const code = await this.ended;
    clearTimeout(timer);
    await this.kill();
    return code;
  }
}

/** The environment without settings that would lead a program to a server of the developer's own. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { RUNLANE_NATS_SERVER, ...others } = process.env;
  const kept = Object.entries(others).filter(([name]) => !/^(RUNLANE|TRIGGER)_/.test(name));
  return { ...Object.fromEntries(kept), RUNLANE_NATS_SERVER };
}
