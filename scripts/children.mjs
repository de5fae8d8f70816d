import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./repository.mjs";

const patienceMs = 10_000;
const leash = pathToFileURL(join(import.meta.dirname, "leash.mjs")).href;

/**
 * A Node program that ends with this process, whatever ends it. It leads a process group of its own, so that a Ctrl-C in the terminal reaches this process only, which
 * then stops its children in their order.
 */
export class Child {
  #process;
  #log;
  #stopping = false;

  /**
   * @param {string} name what people call it
   * @param {string} script path of the program
   * @param {string[]} args its arguments
   * @param {{ cwd?: string, env?: Record<string, string>, log?: string }} [options] `log`: file that takes its output (default: the terminal); the file is begun anew
   */
  constructor(name, script, args, { cwd = root, env = {}, log } = {}) {
    this.name = name;
    this.#log = log;
    const output = log ? openSync(log, "w") : "inherit";
    this.#process = spawn(process.execPath, ["--import", leash, script, ...args], {
      cwd,
      env: { ...process.env, ...env, RUNLANE_LEASH: "1" },
      stdio: ["ignore", output, output, "pipe"],
      detached: true,
    });
    if (typeof output === "number") closeSync(output);
    /** Resolves to how it ended: an exit code, or null if a signal ended it. Never rejects. @type {Promise<number | null>} */
    this.ended = new Promise((resolve) => {
      this.#process.once("exit", (code) => resolve(code));
      this.#process.once("error", () => resolve(1));
    });
  }

  get pid() {
    return this.#process.pid;
  }

  /** True from the moment that somebody asked it to stop. */
  get stopping() {
    return this.#stopping;
  }

  /** The last lines that it wrote to its log file. */
  lastWords(lines = 15) {
    return this.#log ? readFileSync(this.#log, "utf8").trimEnd().split("\n").slice(-lines).join("\n") : "";
  }

  /** Asks it to end, waits, and after ten seconds ends its whole process group. */
  async stop() {
    this.#stopping = true;
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), patienceMs);
    await this.ended;
    clearTimeout(timer);
    // What it started and did not stop.
    this.kill();
  }

  /** Ends its whole process group at once. */
  kill() {
    this.#stopping = true;
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // The group is empty already.
    }
  }
}
