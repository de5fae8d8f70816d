import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InstalledProject } from "./installed-project.js";

/** Written for Trigger.dev. */
const family = `
import { AbortTaskRunError, task } from "@trigger.dev/sdk";

export const double = task({ id: "double", run: async (n: number) => 2 * n });

export const parent = task({
  id: "parent",
  run: async (n: number) => {
    const first = await double.triggerAndWait(n).unwrap();
    const { runs } = await double.batchTriggerAndWait([{ payload: first }, { payload: first + 1 }]);
    return runs.map((run) => (run.ok ? run.output : undefined));
  },
});

export const aborting = task({
  id: "aborting",
  run: async () => {
    throw new AbortTaskRunError("no use");
  },
});
`;
/** Written for version 3 of Trigger.dev. */
const flaky = `
import { task } from "@trigger.dev/sdk/v3";

export const flaky = task({
  id: "flaky",
  retry: { maxAttempts: 3, minTimeoutInMs: 1, maxTimeoutInMs: 2 },
  run: async (_: unknown, { ctx }) => {
    if (ctx.attempt.number < 3) throw new Error("not yet");
    return ctx.attempt.number;
  },
});
`;
/** Imports the command's copy of the SDK: the same worker runs tasks of two copies. */
const otherCopy = `
import { AbortTaskRunError, runs, task, tasks } from "@runlane/sdk";
import { task as aliased } from "@trigger.dev/sdk";
import type { double } from "./family.js";

export const separate = task({ id: "separate", run: async () => (task as unknown) !== aliased });

export const across = task({
  id: "across",
  run: async (n: number) => tasks.triggerAndWait<typeof double>("double", n).unwrap(),
});

export const abortingAcross = task({
  id: "aborting-across",
  run: async () => {
    throw new AbortTaskRunError("no use");
  },
});

export const refused = task({ id: "refused", run: async () => runs.retrieve("run_nobody") });
`;
const program = `
import { tasks } from "@trigger.dev/sdk/v3";

const result = await tasks.triggerAndWait("parent", 1);
console.log(result.ok && JSON.stringify(result.output));
`;
const types = `
import { runs, tasks } from "@trigger.dev/sdk";
import { task } from "@trigger.dev/sdk/v3";
import type { parent } from "./trigger/family.js";

const { output } = await runs.poll(await tasks.trigger<typeof parent>("parent", 1));
export const numbers: (number | undefined)[] | undefined = output;
export const other = task({ id: "other", run: async (count: number) => count + 1 });
`;

let project: InstalledProject;

beforeAll(async () => {
  project = await InstalledProject.install({
    // As "npm:@runlane/sdk@…" will, once it is in a registry.
    manifest: ({ sdk, runlane }) => ({
      type: "module",
      dependencies: { "@trigger.dev/sdk": `file:${sdk}`, runlane: `file:${runlane}` },
      devDependencies: { "@types/node": "^20.19.0" },
      overrides: { "@runlane/sdk": `file:${sdk}` },
    }),
    // So that the command has a copy of the SDK for itself.
    npmArgs: ["--install-strategy=nested"],
    files: { "trigger/family.ts": family, "trigger/flaky.ts": flaky, "trigger/other-copy.ts": otherCopy, "main.mjs": program, "types.ts": types },
    onCleanUp: afterAll,
  });
});

describe("a project that has @runlane/sdk installed as @trigger.dev/sdk", () => {
  beforeAll(async () => {
    const session = project.start("dev");
    await session.until("a version takes new runs", () => session.stdout.includes("takes new runs"));
  });

  /** Triggers a task and waits for its run. */
  async function run(task: string, payload: unknown = null): Promise<Record<string, unknown>> {
    const { stdout, stderr } = await project.runlane("trigger", task, JSON.stringify(payload), "--wait", "--json");
    expect(stdout, stderr).not.toBe("");
    return JSON.parse(stdout);
  }

  test("has two copies of it, which one worker loads", async () => {
    expect(project.filesOf("runlane/node_modules/@runlane/sdk")).toEqual(project.filesOf("@trigger.dev/sdk"));
    expect(await run("separate")).toMatchObject({ state: "COMPLETED", output: true });
  });

  test("tasks trigger each other and wait", async () => {
    expect(await run("parent", 3)).toMatchObject({ state: "COMPLETED", output: [12, 14], attemptCount: 1 });
  });

  test("tasks are tried again as they say", async () => {
    expect(await run("flaky")).toMatchObject({ state: "COMPLETED", output: 3, attemptCount: 3 });
  });

  test.each(["aborting", "aborting-across"])("AbortTaskRunError of either copy ends a run: %s", async (task) => {
    expect(await run(task)).toMatchObject({ state: "FAILED", attemptCount: 1 });
  });

  test("a task of one copy waits for a task of the other", async () => {
    expect(await run("across", 4)).toMatchObject({ state: "COMPLETED", output: 8 });
  });

  test("what the server refused is not tried again, whichever copy asked", async () => {
    expect(await run("refused")).toMatchObject({ state: "FAILED", attemptCount: 1 });
  });

  test("a program triggers a task", async () => {
    expect(await project.node("main.mjs")).toEqual({ code: 0, stdout: "[4,6]\n", stderr: "" });
  });
});

test.each(["node16", "bundler"] as const)("types resolve with moduleResolution %s", async (module) => {
  expect(await project.typeFaults(["trigger/family.ts", "trigger/flaky.ts", "types.ts"], module)).toBe("");
});
