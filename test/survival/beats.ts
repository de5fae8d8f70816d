import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.js";
import { jsonPayload } from "../support/json-payload.js";
import { AppendedLines } from "./appended-lines.js";
import { type Entry, entryOf } from "./lines.js";

/** The task of test/fixtures/survival/beats.ts, and what its runs write into a file of a test. */
export class Beats {
  readonly #file: string;
  readonly #gate: string;
  readonly #lines: AppendedLines;
  readonly #entries: Entry[] = [];

  /** `folder` is the test's. */
  constructor(folder: string) {
    this.#file = join(folder, "beats");
    this.#gate = join(folder, "gate");
    this.#lines = new AppendedLines(this.#file);
  }

  /** What triggers a run of a task that beats. `id` is the payload id of its entries. */
  item(taskId: "beating" | "beating-once" | "beating-alone", id: string): { taskId: string; payload: { data: Uint8Array } } {
    return { taskId, payload: jsonPayload({ id, file: this.#file, gate: this.#gate }) };
  }

  /** Everything that was written until now, in the order of time. */
  entries(): readonly Entry[] {
    for (const line of this.#lines.read()) this.#entries.push(entryOf(line));
    return this.#entries;
  }

  /** The starts of attempts with this number. */
  starts(attempt = 1): Entry[] {
    return this.entries().filter((entry) => entry.event === "start" && entry.attempt === attempt);
  }

  /** Waits until `count` attempts with this number have started. */
  async started(count: number, attempt = 1, within?: number): Promise<Entry[]> {
    return await eventually(`${count} attempts number ${attempt} have started`, () => this.starts(attempt).length >= count && this.starts(attempt), within);
  }

  /** Lets all code end. */
  openGate(): void {
    writeFileSync(this.#gate, "");
  }

  /** Waits until `count` runs have ended, and returns the ends. */
  async ended(count: number): Promise<Entry[]> {
    const ends = () => this.entries().filter((entry) => entry.event === "end");
    return await eventually(`${count} runs have ended`, () => ends().length >= count && ends());
  }
}
