import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configure, NotFoundError, runs, tasks } from "@runlane/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runlane } from "./support/command-line.js";
import { readDiary } from "./support/diary.js";
import { eventually } from "./support/eventually.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";
import { MortalServer } from "./survival/mortal-server.js";

/** Collects what a subscription yields. */
async function statesOf(subscription: AsyncIterable<{ status: string }>): Promise<string[]> {
  const states: string[] = [];
  for await (const { status } of subscription) states.push(status);
  return states;
}

describe("with a worker", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ onCleanUp: afterAll });
    configure({ baseURL: server.address, secretKey: server.secretKey });
    new TestWorker(server, "tasks", { onCleanUp: afterAll });
    await runs.poll(await tasks.trigger("echo", "warm"));
  });

  test("a list shows what its client has just done, every time", async () => {
    for (let i = 0; i < 100; i++) {
      const { id } = await tasks.trigger("echo", i);
      const page = await runs.list({ limit: 1 });
      expect(page.data[0]?.id).toBe(id);
    }
    const { id } = await tasks.trigger("nobody-has-this", 0);
    await runs.cancel(id);
    expect((await runs.list({ status: "CANCELED", limit: 1 })).data[0]?.id).toBe(id);
    const handle = await tasks.trigger("echo", 1);
    await runs.poll(handle);
    expect((await runs.list({ limit: 1 })).data[0]).toMatchObject({ id: handle.id, status: "COMPLETED", isCompleted: true });
  });

  test("filters by state, task, version, queue and time, and leaves payload and output out", async () => {
    // By the server's clock: a batch of the log has one time, which may be older than the calls in it.
    const marker = await runs.poll(await tasks.trigger("echo", "marker"));
    const before = marker.createdAt.getTime();
    const failed = await tasks.trigger("aborting", undefined);
    const done = await tasks.trigger("limited", { diary: join(temporaryFolder(), "diary"), milliseconds: 0 });
    const [failure] = [await runs.poll(failed), await runs.poll(done)];
    const ids = async (...options: Parameters<typeof runs.list>) => (await runs.list(...options)).data.map(({ id }) => id);
    expect(await ids({ from: before, status: "FAILED" })).toEqual([failed.id]);
    expect(await ids({ from: before, taskIdentifier: ["limited", "aborting"] })).toEqual([done.id, failed.id]);
    expect(await ids({ from: before, queue: { type: "task", name: "limited" } })).toEqual([done.id]);
    expect(await ids({ from: before, version: failure?.version, status: ["FAILED", "COMPLETED"], taskIdentifier: ["limited", "aborting"] })).toEqual([
      done.id,
      failed.id,
    ]);
    expect(await ids({ from: before, version: "19700101.1" })).toEqual([]);
    expect(await ids({ to: before - 60_000 })).toEqual([]);
    expect(await ids({ period: "1h", status: "FAILED", taskIdentifier: "aborting", limit: 1 })).toEqual([failed.id]);
    const [listed] = (await runs.list({ status: "FAILED", limit: 1 })).data;
    expect(listed).toMatchObject({ error: { message: "no use" }, attemptCount: 1 });
    expect(listed).not.toHaveProperty("payload");
    expect(() => runs.list({ schedule: "x" } as never)).not.toThrow();
    await expect(runs.list({ schedule: "x" } as never)).rejects.toThrow("not yet supported: schedule");
  });

  test("pages fit together in both directions, whatever comes in meanwhile", async () => {
    const handles = [];
    for (let i = 0; i < 70; i++) handles.push(await tasks.trigger("echo", i));
    const ids = handles.map(({ id }) => id).reverse();
    const first = await runs.list({ limit: 10, taskIdentifier: "echo" });
    expect(first.hasPreviousPage()).toBe(false);
    const seen = first.data.map(({ id }) => id);
    let page = first;
    while (seen.length < 70) {
      await tasks.trigger("echo", "meanwhile");
      page = await page.getNextPage();
      seen.push(...page.data.map(({ id }) => id));
    }
    expect(seen).toEqual(ids);
    page = await page.getPreviousPage();
    expect(page.data.map(({ id }) => id)).toEqual(ids.slice(50, 60));
    expect((await runs.list({ after: ids[3], limit: 2 })).data.map(({ id }) => id)).toEqual([ids[4], ids[5]]);
    expect((await runs.list({ before: ids[3], limit: 2 })).data.map(({ id }) => id)).toEqual([ids[1], ids[2]]);
    const all = [];
    for await (const { id } of runs.list({ limit: 25, taskIdentifier: "echo" })) all.push(id);
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((id) => ids.includes(id))).toEqual(ids);
  });

  test("a subscription tells of a run until it is final", async () => {
    const folder = temporaryFolder();
    const [gate, diary] = [join(folder, "gate"), join(folder, "diary")];
    const handle = await tasks.trigger("gated", { gate, diary });
    const states: string[] = [];
    const ended = (async () => {
      for await (const { status } of runs.subscribeToRun(handle)) states.push(status);
    })();
    await eventually("the subscriber has heard that the run executes", () => states.includes("EXECUTING"));
    writeFileSync(gate, "");
    await ended;
    expect(states.at(-1)).toBe("COMPLETED");
    const [last] = await Promise.all([collectLast(runs.subscribeToRun(handle.id)), collectLast(runs.subscribeToRun(handle.id))]);
    expect(last).toMatchObject({ id: handle.id, status: "COMPLETED", output: "through" });
  });

  test("two hundred subscriptions at once all end", async () => {
    const handles = await Promise.all(Array.from({ length: 200 }, (_, i) => tasks.trigger("echo", i)));
    const ends = await Promise.all(handles.map((handle) => collectLast(runs.subscribeToRun(handle))));
    expect(ends.map((run) => run?.output)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test("a subscription to no run fails, and one that is aborted ends", async () => {
    await expect(collectLast(runs.subscribeToRun("run_none"))).rejects.toBeInstanceOf(NotFoundError);
    const waiting = await tasks.trigger("nobody-has-this", 0);
    const abort = new AbortController();
    const states: string[] = [];
    for await (const { status } of runs.subscribeToRun(waiting, { signal: abort.signal })) {
      states.push(status);
      abort.abort();
    }
    expect(states).toEqual(["PENDING_VERSION"]);
  });

  describe("runlane runs", () => {
    const run = (...args: string[]) => runlane(args, { env: server.env });

    test("list shows runs, newest first, and how to go on", async () => {
      const { id } = await tasks.trigger("nobody-has-this", 1);
      const { stdout, stderr, code } = await run("runs", "list", "--status", "pending_version", "--limit", "1");
      expect(code).toBe(0);
      expect(stdout).toContain(`${id}`);
      expect(stderr).toContain(`--after ${id}`);
      const next = JSON.parse((await run("runs", "list", "--json", "--after", id, "--limit", "3")).stdout);
      expect(next.runs).toHaveLength(3);
      expect(next.runs[0].id < id).toBe(true);
      expect((await run("runs", "list", "--status", "nonsense")).code).toBe(2);
    });

    test("watch shows runs until all are final, and exits with 1 if one did not complete", async () => {
      const [good, bad] = [await tasks.trigger("echo", 1), await tasks.trigger("aborting", undefined)];
      const { code, stdout } = await run("runs", "watch", good.id, bad.id, "--json");
      expect(code).toBe(1);
      const last = new Map(
        stdout
          .trim()
          .split("\n")
          .map((line) => [JSON.parse(line).id, JSON.parse(line).state]),
      );
      expect([last.get(good.id), last.get(bad.id)]).toEqual(["COMPLETED", "FAILED"]);
      expect((await run("runs", "watch", good.id)).code).toBe(0);
      expect((await run("runs", "watch", "run_none")).code).toBe(1);
    });
  });
});

test("subscriptions and lists survive SIGKILLs of the server, and a lost history is made anew", async () => {
  const mortal = await MortalServer.start();
  configure({ baseURL: mortal.server.address, secretKey: mortal.server.secretKey });
  new TestWorker(mortal.server, "tasks");
  const folder = temporaryFolder();
  const [gate, diary] = [join(folder, "gate"), join(folder, "diary")];
  const gated = await tasks.trigger("gated", { gate, diary });
  const states = statesOf(runs.subscribeToRun(gated));
  await eventually("the run has started", () => readDiary(diary).length === 1);

  for (const kill of ["killServerOnly", "kill"] as const) {
    const handles = await Promise.all(Array.from({ length: 300 }, (_, i) => tasks.trigger("echo", i)));
    await mortal[kill]();
    await mortal.restart();
    await Promise.all(handles.map((handle) => runs.poll(handle)));
  }
  writeFileSync(gate, "");
  expect((await states).at(-1)).toBe("COMPLETED");
  const before = await everyRun();
  expect(before.filter(({ taskIdentifier }) => taskIdentifier === "echo")).toHaveLength(600);
  expect(before.every(({ status, output }) => status === "COMPLETED" && output === undefined)).toBe(true);
  for (const listed of before.slice(0, 50)) expect(await runs.retrieve(listed.id)).toMatchObject(listed);

  await mortal.kill();
  rmSync(join(mortal.server.data, "history"), { recursive: true });
  await mortal.restart();
  expect(await everyRun()).toEqual(before);
});

async function everyRun() {
  const all: { id: string; status: string; taskIdentifier: string; output?: unknown }[] = [];
  for await (const run of runs.list({ limit: 100 })) all.push(run);
  return all;
}

async function collectLast<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  let last: T | undefined;
  for await (const item of items) last = item;
  return last;
}
