import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configure, runs, tasks } from "@runlane/sdk";
import { afterAll, beforeAll } from "vitest";
import type { Script } from "../fixtures/hooks/script.js";
import { eventually } from "./eventually.js";
import { temporaryFolder } from "./temporary-folder.js";
import { TestServer } from "./test-server.js";
import { TestWorker } from "./test-worker.js";

/** What became of a run, and what its code wrote meanwhile. */
export interface Played {
  readonly run: Awaited<ReturnType<typeof runs.poll>>;
  readonly calls: string[];
}

/** A server and a worker on test/fixtures/hooks for all tests of a file, whose tasks write into a diary what they do. */
export class ScriptedWorker {
  #folder = "";
  #diaries = 0;
  worker: TestWorker | undefined;

  /** To be called at the top of a test file. */
  constructor() {
    beforeAll(async () => {
      this.#folder = temporaryFolder(afterAll);
      const server = await TestServer.start({ onCleanUp: afterAll });
      configure({ baseURL: server.address, secretKey: server.secretKey });
      this.worker = new TestWorker(server, "hooks", { onCleanUp: afterAll });
    });
  }

  /** A path for a diary. */
  diary(): string {
    this.#diaries += 1;
    return join(this.#folder, `diary-${this.#diaries}`);
  }

  /** Triggers a run, and does not wait for it. */
  async begin(task: string, payload: Omit<Script, "diary"> & Record<string, unknown>): Promise<{ id: string; diary: string }> {
    const diary = this.diary();
    const { id } = await tasks.trigger(task, { ...payload, diary });
    return { id, diary };
  }

  /** Triggers a run and waits for its end. */
  async play(task: string, payload: Omit<Script, "diary"> & Record<string, unknown> = {}): Promise<Played> {
    const { id, diary } = await this.begin(task, payload);
    return { run: await runs.poll(id), calls: linesOf(diary) };
  }

  /** Waits until the diary has a line. */
  async written(diary: string, line: string, within?: number): Promise<void> {
    await eventually(`the diary has "${line}"`, () => linesOf(diary).includes(line), within);
  }
}

/** What a diary has. */
export function linesOf(diary: string): string[] {
  return existsSync(diary) ? readFileSync(diary, "utf8").split("\n").filter(Boolean) : [];
}
