import type { AttemptReport, LaunchedWorker } from "@runlane/sdk/worker";
import { expect, test } from "vitest";
import type { WorkerBuild } from "../worker-build/index.js";
import { Generations, type WorkerHooks } from "./generations.js";

/** A worker of which the test says what happens to it. */
class WorkerDouble implements LaunchedWorker {
  readonly supervisorPid = undefined;
  readonly hooks: WorkerHooks;
  readonly drains: (number | undefined)[] = [];
  stops = 0;
  exit!: (code: number) => void;
  readonly exited = new Promise<number>((resolve) => {
    this.exit = resolve;
  });

  constructor(hooks: WorkerHooks) {
    this.hooks = hooks;
  }

  stop(): void {
    this.stops += 1;
    this.exit(0);
  }

  async drain(graceMs?: number): Promise<void> {
    this.drains.push(graceMs);
    if (graceMs !== undefined) this.exit(0);
  }
}

const buildOf = (name: string) => ({ manifestFile: `/builds/${name}/manifest.json` }) as WorkerBuild;
const report = (event: AttemptReport["event"]) => ({ event, runId: "run_1", taskId: "a", attempt: 1, maxAttempts: 3, durationMs: 0 }) satisfies AttemptReport;
/** Lets everything happen that waits for nothing outside. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function generationsWithDoubles() {
  const workers = new Map<string, WorkerDouble>();
  const said: string[] = [];
  const generations = new Generations({
    launch(build, hooks) {
      const worker = new WorkerDouble(hooks);
      workers.set(build.manifestFile.split("/")[2]!, worker);
      return worker;
    },
    onVersion: (version) => said.push(`version ${version}`),
    onAttempt: ({ event }, version, isOld) => said.push(`${event} ${version}${isOld ? " old" : ""}`),
    onGivenUp: (version, attempts) => said.push(`given up ${version} with ${attempts}`),
    onRefused: () => said.push("refused"),
  });
  const connect = async (name: string) => {
    workers.get(name)!.hooks.onConnected({ environment: "dev", version: name });
    await settled();
  };
  const use = async (name: string) => {
    generations.use(buildOf(name));
    await connect(name);
    return workers.get(name)!;
  };
  return { generations, workers, said, use, connect };
}

test("the worker before takes nothing new once the server has the next one, and may finish what it has", async () => {
  const { generations, workers, said, use, connect } = generationsWithDoubles();
  const one = await use("one");
  generations.use(buildOf("two"));
  expect(one.drains).toEqual([]);
  await connect("two");
  expect(one.drains).toEqual([undefined]);
  one.hooks.onAttempt(report("completed"));
  expect(said).toEqual(["version one", "version two", "completed one old"]);
  expect(generations.version).toBe("two");
  expect(workers.get("two")!.drains).toEqual([]);
});

test("what is built already is not started again, and a worker that was overtaken while it started is ended at once", async () => {
  const { generations, workers, said, use, connect } = generationsWithDoubles();
  const one = await use("one");
  generations.use(buildOf("two"));
  generations.use(buildOf("one"));
  expect(workers.get("two")!.stops).toBeGreaterThan(0);
  expect(workers.get("one")).toBe(one);
  await connect("two");
  expect(said).toEqual(["version one"]);
});

test("a worker that connects again is no new version", async () => {
  const { said, use, connect } = generationsWithDoubles();
  await use("one");
  await connect("one");
  expect(said).toEqual(["version one"]);
});

test("of older workers three may stay; beyond that the oldest gives back what it has", async () => {
  const { generations, said, use } = generationsWithDoubles();
  const workers = [];
  for (const name of ["one", "two", "three", "four", "five"]) {
    const worker = await use(name);
    worker.hooks.onAttempt(report("started"));
    workers.push(worker);
  }
  await settled();
  expect(workers.map(({ drains }) => drains)).toEqual([[undefined, 0], [undefined], [undefined], [undefined], []]);
  expect(said).toContain("given up one with 1");
  expect(generations.folders).toEqual(new Set(["two", "three", "four", "five"].map((name) => `/builds/${name}`)));
});

test("an older worker that has finished makes room for another", async () => {
  const { said, use } = generationsWithDoubles();
  for (const name of ["one", "two", "three", "four", "five", "six"]) {
    const worker = await use(name);
    if (name === "two") worker.exit(0);
    if (name === "one") worker.exit(0);
    await settled();
  }
  expect(said.filter((line) => line.startsWith("given up"))).toEqual([]);
});

test("stopping ends every worker, and what they have is given back after a second", async () => {
  const { generations, use } = generationsWithDoubles();
  const [one, two] = [await use("one"), await use("two")];
  await generations.stop();
  expect([one.drains, two.drains]).toEqual([[undefined, 1_000], [1_000]]);
  generations.use(buildOf("three"));
  expect(generations.folders.size).toBe(0);
});

test("a server that refuses the only worker is told of; one that refuses a newer one leaves the older at work", async () => {
  const { generations, workers, said, use } = generationsWithDoubles();
  await use("one");
  generations.use(buildOf("two"));
  workers.get("two")!.exit(1);
  await settled();
  expect(said).toEqual(["version one"]);
  workers.get("one")!.exit(1);
  await settled();
  expect(said).toEqual(["version one", "refused"]);
});
