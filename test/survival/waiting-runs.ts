import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { eventually } from "../support/eventually.js";
import { jsonPayload } from "../support/json-payload.js";
import { RunClient } from "../support/run-client.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TestServer } from "../support/test-server.js";
import { AppendedLines } from "./appended-lines.js";

/** Something that a task of test/fixtures/survival/waiting.ts has done. */
export interface Deed {
  /** `before`, `open` and `after` are steps, `open` being one that lasts until the gate is opened; `done` is the end of the code. */
  what: "before" | "open" | "after" | "done";
  /** Names the run. */
  id: string;
  attempt: number;
  /** Process that did it. */
  pid: number;
}

/** How many runs wait for each of the two, time and child. */
const ofEach = 250;
/** As many children execute at once. */
const openChildren = 20;
/** Runs that do not wait: a step of each is open. */
const openRuns = 20;

/** 500 runs that wait, with a step behind them and one before them; and some that execute a step meanwhile. What they did is read from the file that they write. */
export class WaitingRuns {
  readonly #folder = temporaryFolder();
  readonly #lines = new AppendedLines(join(this.#folder, "deeds"));
  readonly #deeds: Deed[] = [];
  /** Names of the runs that wait. */
  readonly waiting: string[] = [];
  /** Names of the runs of which a step is open. */
  readonly open: string[] = [];

  /**
   * Triggers them. Resolves when all wait that should, and all steps are open that should be. The waits for a time end `shortestMs` after their trigger, a half of
   * them, and `longestMs` after it the others.
   */
  async begin(server: TestServer, [shortestMs, longestMs]: readonly [number, number]): Promise<void> {
    const client = new RunClient(server);
    const trigger = async (taskId: string, count: number, untilMs: (index: number) => number) => {
      const ids = Array.from({ length: count }, (_, index) => `${taskId}-${index}`);
      const runs = await client.trigger(...ids.map((id, index) => ({ taskId, payload: this.#payload(id, untilMs(index)) })));
      return { ids, runs };
    };
    const open = await trigger("open-at-the-kill", openRuns, () => 0);
    const byChild = await trigger("waiting-for-child", ofEach, () => 0);
    await eventually("steps are open", () => this.#count("open") >= openRuns + openChildren);
    const now = Date.now();
    const byTime = await trigger("waiting-for-time", ofEach, (index) => now + (index % 2 === 0 ? shortestMs : longestMs));
    for (const runId of [...byTime.runs, ...byChild.runs]) {
      // On a slow machine the shortest of the waits may have ended before it is looked at.
      await eventually("a run waits", async () => [RunState.WAITING, RunState.COMPLETED].includes((await client.run(runId)).state));
    }
    this.open.push(...open.ids, ...this.deeds().flatMap(({ what, id }) => (what === "open" && id.endsWith(".child") ? [id] : [])));
    this.waiting.push(...byTime.ids, ...byChild.ids);
  }

  /** Lets open steps end, and waits until all code has come to its end. Returns everything that was done, in order. */
  async ended(): Promise<readonly Deed[]> {
    writeFileSync(join(this.#folder, "gate"), "");
    await eventually("all runs have ended", () => this.#count("done") >= 2 * ofEach + ofEach + openRuns, 60_000);
    return this.deeds();
  }

  /** Everything that was done until now, in order. */
  deeds(): readonly Deed[] {
    for (const line of this.#lines.read()) {
      const [what, id = "", attempt, pid] = line.split(" ");
      this.#deeds.push({ what: what as Deed["what"], id, attempt: Number(attempt), pid: Number(pid) });
    }
    return this.#deeds;
  }

  #count(what: Deed["what"]): number {
    return this.deeds().filter((deed) => deed.what === what).length;
  }

  #payload(id: string, untilMs: number): ReturnType<typeof jsonPayload> {
    return jsonPayload({ id, file: join(this.#folder, "deeds"), gate: join(this.#folder, "gate"), untilMs });
  }
}

/** What was done more than once: `before of a`, for instance. */
export function repeated(deeds: readonly Deed[]): string[] {
  const seen = new Set<string>();
  return deeds.flatMap(({ what, id }) => {
    const name = `${what} of ${id}`;
    if (seen.has(name)) return [name];
    seen.add(name);
    return [];
  });
}
