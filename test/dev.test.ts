import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runlane } from "./support/command-line.js";
import { DevSession, TestProject } from "./support/dev-session.js";
import { eventually } from "./support/eventually.js";
import { jsonPayload, jsonValue } from "./support/json-payload.js";
import { alive, commandLine } from "./support/processes.js";
import { TestServer } from "./support/test-server.js";

/** A task that says which code it is, and one that does so when a file appears. */
const taskFile = (says: string) => `import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { task } from "@runlane/sdk";
export const quick = task({ id: "quick", run: async () => "${says}" });
export const long = task({ id: "long", run: async ({ file }: { file: string }) => {
  while (!existsSync(file)) await sleep(20);
  return "${says}";
} });
export const parent = task({ id: "parent", run: async ({ file }: { file: string }) => {
  const child = await long.triggerAndWait({ file }).unwrap();
  return "${says}, with a child of " + child;
} });
`;

async function session(files: Record<string, string> = { "trigger/tasks.ts": taskFile("one") }) {
  const project = new TestProject(files);
  const dev = new DevSession(project);
  await dev.nextVersion();
  const client = dev.client();
  const output = async (taskId: string, payload: unknown = {}) => jsonValue((await client.triggerAndWait({ taskId, payload: jsonPayload(payload) })).output);
  return { project, dev, client, output };
}

describe("runlane dev", () => {
  test("starts a server and a worker; a save gives new runs new code, while old ones finish on what they began with", async () => {
    const { project, dev, client, output } = await session();
    expect(await output("quick")).toBe("one");
    const file = join(project.folder, "go");
    const [long = "", parent = ""] = await client.trigger(
      { taskId: "long", payload: jsonPayload({ file }) },
      { taskId: "parent", payload: jsonPayload({ file }) },
    );
    await eventually(
      "the child of the parent runs, too",
      () => dev.events.filter(({ event, taskId }) => event === "started" && taskId === "long").length === 2,
    );

    const version = await dev.nextVersion(() => project.write("trigger/tasks.ts", taskFile("two")));
    expect(await output("quick")).toBe("two");
    // A run that waits for another waits on in the old code; the child had begun there, too.
    project.write("go", "");
    const ended = async (runId: string) => eventually("it has ended", async () => (await client.run(runId)).finishTime && (await client.run(runId)));
    expect(jsonValue((await ended(long)).output)).toBe("one");
    const parentRun = await ended(parent);
    expect(jsonValue(parentRun.output)).toBe("one, with a child of one");
    expect(parentRun.version).not.toBe(version.version);
    // The worker of the old version leaves when it has nothing to do any more, and its build goes at the next save.
    await eventually("one supervisor is left", () => dev.supervisors.length === 1);
    await dev.nextVersion(() => project.write("trigger/tasks.ts", taskFile("three")));
    await eventually("two builds are left at most", () => project.builds().length <= 2);
  });

  test("a file that cannot be built leaves the old version at work and says where; mending it goes on", async () => {
    const { project, dev, output } = await session();
    const after = dev.events.length;
    project.write("trigger/tasks.ts", `${taskFile("two")}const = 7;\n`);
    const failed = await dev.until("the build fails", ({ event }) => event === "buildFailed", after);
    expect(failed.message).toContain(`trigger/tasks.ts:${taskFile("two").split("\n").length}:6`);
    expect(failed.version).toBe(dev.events.find(({ event }) => event === "version")?.version);
    expect(await output("quick")).toBe("one");
    await dev.nextVersion(() => project.write("trigger/tasks.ts", taskFile("two")));
    expect(await output("quick")).toBe("two");
  });

  test("finds new task files, and files that an import has missed until then", async () => {
    const { project, dev, output } = await session();
    const found = await dev.nextVersion(() =>
      project.write("trigger/deep/fresh.ts", 'import { task } from "@runlane/sdk";\nexport const fresh = task({ id: "fresh", run: async () => "fresh" });\n'),
    );
    expect(found.tasks).toContain("fresh");
    expect(await output("fresh")).toBe("fresh");
    const after = dev.events.length;
    const missing = "../../src/new/word.js";
    project.write(
      "trigger/deep/fresh.ts",
      `import { task } from "@runlane/sdk";\nimport { word } from "${missing}";\nexport const fresh = task({ id: "fresh", run: async () => word });\n`,
    );
    await dev.until("the import fails", ({ event, message }) => event === "buildFailed" && message?.includes("src/new/word") === true, after);
    await dev.nextVersion(() => project.write("src/new/word.ts", 'export const word = "found";\n'));
    expect(await output("fresh")).toBe("found");
    await dev.nextVersion(() => project.write("src/new/word.ts", 'export const word = "changed";\n'));
    expect(await output("fresh")).toBe("changed");
  });

  test("a save that changes nothing does nothing; a config that changes how tasks run does", async () => {
    const { project, dev, client } = await session();
    const before = dev.events.length;
    project.write("trigger/tasks.ts", taskFile("one"));
    project.write("trigger/tasks.ts", `${taskFile("one")}// a comment\n`);
    const version = await dev.nextVersion(() =>
      project.write("runlane.config.ts", 'export default { project: "x", dirs: ["./trigger"], retries: { default: { maxAttempts: 7 } } };\n'),
    );
    expect(dev.events.slice(before).filter(({ event }) => event === "version")).toEqual([version]);
    const [id = ""] = await client.trigger({ taskId: "quick" });
    expect((await client.run(id)).maxAttempts).toBe(7);
  });

  test("gives tasks the variables of .env files, and new runs the new ones when a file changes or appears", async () => {
    const source = `import { task } from "@runlane/sdk";
export const colour = task({ id: "colour", run: async () => process.env.COLOUR ?? "none" });
`;
    const { project, dev, output } = await session({ "trigger/tasks.ts": source, ".env": "COLOUR=red\n" });
    expect(await output("colour")).toBe("red");
    await dev.nextVersion(() => project.write(".env", "COLOUR=blue\n"));
    expect(await output("colour")).toBe("blue");
    await dev.nextVersion(() => project.write(".env.local", "COLOUR=green\n"));
    expect(await output("colour")).toBe("green");
  });

  test("many saves do not pile up processes, and the last one counts", async () => {
    const { project, dev, client, output } = await session();
    const file = join(project.folder, "go");
    for (let round = 0; round < 6; round += 1) {
      const [id] = await client.trigger({ taskId: "long", payload: jsonPayload({ file }) });
      await dev.until("it has started", ({ event, runId }) => event === "started" && runId === id);
      await dev.nextVersion(() => project.write("trigger/tasks.ts", taskFile(`round ${round}`)));
    }
    // Three versions were given up, and take their time to leave.
    expect(dev.events.filter(({ event }) => event === "givenUp").length).toBe(3);
    await eventually("the present version and three old ones are left", () => dev.supervisors.length === 4);
    for (let save = 0; save < 20; save += 1) project.write("trigger/tasks.ts", taskFile(`save ${save}`));
    await eventually("the last save runs", async () => (await output("quick")) === "save 19");
    project.write("go", "");
    await eventually("all runs have ended", () => dev.events.filter(({ event, taskId }) => event === "completed" && taskId === "long").length === 6);
  });

  test("shows failures with their place in the source", async () => {
    const { dev, client } = await session({
      "trigger/bad.ts":
        'import { task } from "@runlane/sdk";\n\nexport const bad = task({\n  id: "bad",\n  retry: { maxAttempts: 1 },\n  run: async (): Promise<void> => {\n    throw new TypeError("boom");\n  },\n});\n',
    });
    await client.triggerAndWait({ taskId: "bad" });
    const failed = await dev.until("the failure is shown", ({ event }) => event === "failed");
    expect(failed.failure).toMatchObject({ name: "TypeError", message: "boom", stackTrace: expect.stringContaining("trigger/bad.ts:7:11") });
    // Once: the runner leaves it to the session.
    expect(dev.program.stderr).not.toContain("boom");
  });

  test("Ctrl-C leaves no process and no build, and what was running starts again at the next session", async () => {
    const { project, dev, client } = await session();
    const file = join(project.folder, "go");
    const [id = ""] = await client.trigger({ taskId: "long", payload: jsonPayload({ file }) });
    await dev.until("it has started", ({ event }) => event === "started");
    const pids = await dev.allProcesses();
    dev.program.signal("SIGINT");
    expect(await dev.program.ended).toBe(0);
    // What was killed last may take a moment to be gone.
    await eventually("no process is left", () => !pids.some(alive));
    expect(project.builds()).toEqual([]);
    expect(existsSync(join(project.folder, ".runlane/server.json"))).toBe(false);
    expect(readFileSync(join(project.folder, ".runlane/.gitignore"), "utf8")).toBe("*\n");

    const next = new DevSession(project);
    project.write("go", "");
    await next.until("it runs again, and completes", ({ event, runId }) => event === "completed" && runId === id);
    expect((await next.client().run(id)).attemptCount).toBe(1);
  });

  test("a session that is killed leaves no worker behind, and the next one clears up after it", async () => {
    const { project, dev } = await session();
    const workers = (await dev.allProcesses()).filter((pid) => /runlane (supervisor|runner)/.test(commandLine(pid)));
    process.kill(dev.program.pid, "SIGKILL");
    await dev.program.ended;
    await eventually("its worker is gone", () => !workers.some(alive));
    const left = project.builds();
    expect(left.length).toBeGreaterThan(0);
    const next = new DevSession(project);
    await next.nextVersion();
    expect(project.builds().filter((build) => left.includes(build))).toEqual([]);
    expect(jsonValue((await next.client().triggerAndWait({ taskId: "quick" })).output)).toBe("one");
  });

  test("uses a server that runs already, and leaves it running", async () => {
    const server = await TestServer.start();
    const project = new TestProject({ "trigger/tasks.ts": taskFile("one") });
    const dev = new DevSession(project, { env: { ...server.env, RUNLANE_LISTEN: undefined } });
    await dev.nextVersion();
    expect((await runlane(["trigger", "quick", "--wait"], { env: server.env })).stdout).toBe('"one"\n');
    expect((await runlane(["tasks", "--json"], { env: server.env })).stdout).toContain('"workerCount":1');
    expect((await runlane(["doctor"], { cwd: project.folder, env: server.env })).code).toBe(0);
    dev.program.signal("SIGTERM");
    expect(await dev.program.ended).toBe(0);
    expect(existsSync(join(project.folder, ".runlane"))).toBe(false);
    expect(server.program.running).toBe(true);
  });
});
