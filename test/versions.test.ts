import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configure, runs, tasks } from "@runlane/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runlane } from "./support/command-line.js";
import { eventually } from "./support/eventually.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

// Two versions of the same tasks, on a worker each. Either worker has room for two small machines (0.5 cores and 0.5 GiB each), and slots for many attempts.
const room = { concurrency: 20, args: ["--cpus", "1", "--memory", "1GiB"], onCleanUp: afterAll };

let server: TestServer;
let folder: string;
let files = 0;
/** Two runs of `say`, one on each version; and a run that began on version one when there was no other. */
let first: Awaited<ReturnType<typeof said>>;
let second: typeof first;
let begun: ReturnType<typeof gated> & { id: string };
beforeAll(async () => {
  folder = temporaryFolder(afterAll);
  server = await TestServer.start({ onCleanUp: afterAll });
  configure({ baseURL: server.address, secretKey: server.secretKey });
  new TestWorker(server, "versions/one", room);
  first = await said();
  const gate = gated();
  begun = { ...gate, id: (await tasks.trigger("tries-twice", gate)).id };
  await eventually("its first attempt runs", () => linesOf(gate.diary).length === 1);
  new TestWorker(server, "versions/two", room);
  second = await eventually("runs start on the new version", async () => {
    const run = await said();
    return run.output === "two" && run;
  });
});

/** A diary, and a gate that is closed. */
function gated() {
  files += 1;
  return { diary: join(folder, `diary-${files}`), gate: join(folder, `gate-${files}`) };
}

const linesOf = (diary: string) => (existsSync(diary) ? readFileSync(diary, "utf8").split("\n").filter(Boolean) : []);
const said = async () => await runs.poll(await tasks.trigger("say", undefined));
const runlaneVersions = async (...args: string[]) => {
  const { code, stderr, stdout } = await runlane(["versions", ...args], { env: server.env });
  if (code !== 0) throw new Error(`runlane versions ${args.join(" ")}: ${stderr}${stdout}`);
};

test("a run that has started stays with its version, also when it is tried again", async () => {
  expect(linesOf(begun.diary)).toEqual(["start one"]);
  writeFileSync(begun.gate, "");
  expect(await runs.poll(begun.id)).toMatchObject({ output: "one", version: first.version, attemptCount: 2 });
  expect(linesOf(begun.diary)).toEqual(["start one", "start one"]);
});

test("others start on the version that is promoted, or that they ask for", async () => {
  expect([first.output, second.output]).toEqual(["one", "two"]);
  expect(second.version).not.toBe(first.version);
  await runlaneVersions("rollback");
  expect((await said()).output).toBe("one");
  expect((await runs.poll(await tasks.trigger("say", undefined, { version: second.version }))).output).toBe("two");
  await runlaneVersions("promote", second.version ?? "");
  expect((await said()).output).toBe("two");
});

test("runs that need a machine fill the current version's worker, then the older one's, and the rest waits for room", async () => {
  const { diary, gate } = gated();
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push((await tasks.trigger("heavy", { diary, gate })).id);
  await eventually("both workers are full", () => linesOf(diary).length === 4);
  expect(linesOf(diary).toSorted()).toEqual(["start one", "start one", "start two", "start two"]);
  await eventually("the fifth waits for room, and says so", async () => {
    const reasons = await Promise.all(ids.map(async (id) => (await runs.retrieve(id)).pendingReason));
    return reasons.filter((reason) => reason !== undefined).join() === "WORKER_CAPACITY";
  });
  // What needs no machine, and what needs one that nobody has, does not stand in the way.
  const tooLarge = await tasks.trigger("heavy", { diary, gate }, { machine: "large-1x" });
  await eventually("it waits for a worker that is large enough", async () => (await runs.retrieve(tooLarge.id)).pendingReason === "NO_MACHINE");
  expect((await said()).output).toBe("two");

  writeFileSync(gate, "");
  const ended = await Promise.all(ids.map((id) => runs.poll(id)));
  expect(ended.map(({ output }) => output)).toEqual(ids.map(() => ({ version: expect.stringMatching(/one|two/), machine: "small-1x" })));
  expect(["one", "two"].map((version) => mostAtOnce(linesOf(diary), version))).toEqual([2, 2]);
  await runs.cancel(tooLarge.id);
});
/** The most runs that a version executed at once. */
function mostAtOnce(lines: readonly string[], version: string): number {
  const counts = lines.filter((line) => line.endsWith(version)).map((line) => (line.startsWith("start") ? 1 : -1));
  return Math.max(...counts.map((_, index) => counts.slice(0, index + 1).reduce((sum, count) => sum + count, 0)));
}
