import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { configure, runs, tasks } from "@runlane/sdk";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Program, repository, runlaneCommand } from "./support/program.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { TestServer } from "./support/test-server.js";

// The files of test/drop-in import "@trigger.dev/sdk", and compile against Trigger.dev's package as against ours. Here they run, where that name leads to ours.
let project: string;
beforeAll(async () => {
  project = temporaryFolder(afterAll);
  cpSync(join(repository, "test/drop-in"), project, { recursive: true });
  const packages = { "@trigger.dev/sdk": "sdk-ts", zod: "node_modules/zod" };
  for (const [name, home] of Object.entries(packages)) {
    const link = join(project, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(repository, home), link);
  }
  const server = await TestServer.start({ onCleanUp: afterAll });
  const worker = new Program(runlaneCommand, ["worker", "--machine", "large-1x"], {
    cwd: project,
    env: { TRIGGER_API_URL: server.address, TRIGGER_SECRET_KEY: server.secretKey },
  });
  afterAll(async () => void (await worker.stop()));
  configure({ baseURL: server.address, secretKey: server.secretKey });
});

/** Runs a task to its end: its status, its output, how many attempts it took. */
async function run(task: string, payload?: unknown) {
  const { status, output, attemptCount, error } = await runs.poll(await tasks.trigger(task, payload));
  return { status, output, attemptCount, error: error?.message };
}

describe("task files written for Trigger.dev, on a worker of Runlane", () => {
  test("a task that calls one that is not exported", async () => {
    expect(await run("greet", { name: "Ann", loud: true })).toMatchObject({ output: { text: "HELLO, ANN", attempt: 1, task: "greet" } });
  });

  test("a payload that its schema transforms, and one that it refuses", async () => {
    const items = [{ sku: "a", price: 2, quantity: 3 }];
    expect(await run("price-order", { id: "1", placedAt: "2026-05-01", items })).toMatchObject({ output: { year: 2026, total: 6, currency: "EUR" } });
    expect(await run("price-order", { id: "1", placedAt: "2026-05-01", items: [] })).toMatchObject({ status: "FAILED", attemptCount: 1 });
  });

  test("retries, and an error that ends them", async () => {
    expect(await run("charge", { card: "valid", failures: 3 })).toMatchObject({ output: { charged: true, attempts: 4 } });
    expect(await run("charge", { card: "valid", failures: 4 })).toMatchObject({ status: "FAILED", attemptCount: 4, error: "The bank is busy (4)" });
    expect(await run("charge", { card: "expired", failures: 0 })).toMatchObject({ status: "FAILED", attemptCount: 1, error: "The card has expired" });
  });

  test("children, alone and in a batch", async () => {
    expect(await run("welcome-all", { names: ["Ann", "Bob"] })).toMatchObject({
      output: { attempts: 1, failed: "AbortTaskRunError: The card has expired", greetings: ["Hello, Ann", "Hello, Bob"] },
    });
  });

  test("hooks, and what init made", async () => {
    expect(await run("with-hooks", { failures: 0 })).toMatchObject({ output: { steps: ["init 1", "start 1, to fail 0 times", "run"] } });
    expect(await run("with-hooks", { failures: 1 })).toMatchObject({ output: { steps: ["init 2", "run"] }, attemptCount: 2 });
    expect(await run("with-hooks", { failures: 2 })).toMatchObject({ status: "FAILED", error: "as asked", attemptCount: 2 });
  });

  test("middleware of init.ts around that of the task, and locals", async () => {
    expect(await run("count-users")).toMatchObject({ output: { queries: ["begin", "select count(*)"] } });
  });

  test("catchError, which says when to try again, or that it is no use", async () => {
    expect(await run("call-api", { quotaErrors: 2 })).toMatchObject({ output: { attempts: 3 } });
    expect(await run("call-api", { quotaErrors: 0, broken: true })).toMatchObject({ status: "FAILED", attemptCount: 1 });
  });

  test("tags and metadata, and spans around the changes", async () => {
    const metadata = { status: "done", done: 2, rows: ["a", "b"] };
    const { id } = await tasks.trigger("import-rows", { tenant: "acme", rows: ["a", "b"] });
    expect(await runs.poll(id)).toMatchObject({ status: "COMPLETED", output: metadata, metadata, tags: ["tenant_acme", "import"] });
  });

  test("requests that are made again, as the server of the other side says", async () => {
    const answers = [500, 429, 200];
    const asked: unknown[] = [];
    const other = createServer((request, response) => {
      asked.push(request.headers["x-retry-count"]);
      const status = answers[Math.min(asked.length, answers.length) - 1] ?? 200;
      response.writeHead(status, { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(Date.now() + 20) }).end("the file");
    });
    await new Promise<void>((resolve) => void other.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/file`;
      expect(await run("download", { url })).toMatchObject({ output: { status: 200, body: "the file", measured: true }, attemptCount: 1 });
      expect(asked).toHaveLength(3);
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });

  test("a machine, and no limit of time", async () => {
    expect(await run("render", { frames: 2 })).toMatchObject({ output: { frames: 2, machine: "medium-1x" } });
    expect(await run("archive")).toMatchObject({ output: "archived" });
  });

  test("a queue", async () => {
    expect(await run("sync-account", { account: "a" })).toMatchObject({ output: "a is in sync" });
  });
});

describe("a program written for Trigger.dev", () => {
  /** What app/follow.ts exports, on the configuration of this process. */
  interface Follow {
    follow(): Promise<number | undefined>;
    price(placedAt: string): Promise<number | undefined>;
    failures(): Promise<string[]>;
  }

  async function program(): Promise<Follow> {
    const outfile = join(project, "follow.mjs");
    await build({ entryPoints: [join(project, "app/follow.ts")], outfile, bundle: true, packages: "external", platform: "node", format: "esm" });
    return await import(pathToFileURL(outfile).href);
  }

  test("triggers, follows, polls and lists runs", async () => {
    const { failures, follow, price } = await program();
    expect(await follow()).toBe(2);
    expect(await price("2026-05-01")).toBe(6);
    const { id } = await tasks.trigger("charge", { card: "expired", failures: 0 });
    await runs.poll(id);
    expect(await failures()).toContain(id);
  });
});
