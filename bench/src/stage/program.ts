import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { sleep } from "../clock.js";
import { descendants } from "./process-table.js";

/** The repository's folder. */
export const repository = resolve(import.meta.dirname, "../../..");
/** The `runlane` command as it was built. */
export const runlaneCommand = join(repository, "services/server/dist/main.js");
// Ends the program when this process has died, whatever it died of.
const leash = pathToFileURL(join(repository, "scripts/leash.mjs")).href;

const patienceMs = 15_000;
const keptOutput = 20_000;

/** Settings of a program. */
export interface ProgramOptions {
  /** Working directory. */
  readonly cwd: string;
  /** Added to the environment of this process, from which settings of Runlane and Trigger.dev are removed. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it exchanges messages with this process. Default: no. */
  readonly channel?: boolean;
}

/** A Node program that the bench started. It leads a process group of its own. */
export class Program {
  /** What it is called in messages. */
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves to how it ended: "exit code 1", "SIGKILL". Never rejects. */
  readonly ended: Promise<string>;
  #output = "";
  #stopping = false;

  /** Starts `node script ...args`. */
  constructor(name: string, script: string, args: readonly string[], options: ProgramOptions) {
    this.name = name;
    this.process = spawn(process.execPath, ["--import", leash, script, ...args], {
      cwd: options.cwd,
      env: { ...cleanEnvironment(), ...options.env, RUNLANE_LEASH: "1" },
      stdio: ["ignore", "pipe", "pipe", "pipe", options.channel ? "ipc" : "ignore"],
      serialization: "advanced",
      detached: true,
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-keptOutput);
      });
    }
    this.ended = new Promise((settle) => {
      this.process.once("close", (code, signal) => settle(signal ?? `exit code ${code}`));
      this.process.once("error", (error) => settle(error.message));
    });
  }

  /** Its process id, which is also that of its group. */
  get pid(): number {
    if (this.process.pid === undefined) throw new Error(`${this.name} could not be started`);
    return this.process.pid;
  }

  /** Rejects, with what it said last, if it ends before somebody has asked for that. Otherwise never settles. */
  async untimelyEnd(): Promise<never> {
    const how = await this.ended;
    if (this.#stopping) return new Promise<never>(() => {});
    throw new Error(`${this.name} ended untimely (${how})${this.lastWords()}`);
  }

  /** What it said last, for messages: empty, or lines of their own. */
  lastWords(): string {
    const lines = this.#output.trim().split("\n").slice(-15);
    return lines.join("") === "" ? "" : `. It said last:\n${lines.join("\n")}`;
  }

  /**
   * Waits until `probe` answers something.
   *
   * @throws Error if that does not happen within `withinMs` milliseconds (default 30,000), or the program ends first
   */
  async until<T>(what: string, probe: () => T | undefined, withinMs = 30_000): Promise<T> {
    const deadline = performance.now() + withinMs;
    const end = this.untimelyEnd();
    end.catch(() => {});
    for (;;) {
      const found = probe();
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`${this.name}: not within ${withinMs / 1_000} s: ${what}${this.lastWords()}`);
      await Promise.race([sleep(5), end]);
    }
  }

  /** Asks it to end, ends it and all it started after 15 seconds, and makes sure that nothing is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const family = descendants(this.pid);
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => killGroup(this.pid), patienceMs);
    await this.ended;
    clearTimeout(timer);
    for (const pid of [this.pid, ...family]) killGroup(pid);
  }

  /** Ends it at once, and the processes `others` in the same breath. */
  async kill(others: readonly number[] = []): Promise<void> {
    this.#stopping = true;
    for (const pid of [this.pid, ...others]) process.kill(pid, "SIGKILL");
    await this.ended;
  }
}

/** SIGKILLs what is left of the group that `pid` leads; nothing if it leads none. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}

/** The environment without settings that would lead a program to a server of somebody else. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => name === "RUNLANE_NATS_SERVER" || !/^(RUNLANE|TRIGGER)_/.test(name));
  return Object.fromEntries(kept);
}
