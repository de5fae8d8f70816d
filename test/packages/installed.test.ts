import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InstalledProject } from "./installed-project.js";

const task = `
import { task } from "@runlane/sdk";

export const greet = task({ id: "greet", run: async ({ name }: { name: string }) => \`hello \${name}\` });
`;
const program = `
import { runs, task, tasks } from "@runlane/sdk";
import { task as task3, tasks as tasks3 } from "@runlane/sdk/v3";

const handle = await tasks.trigger("greet", { name: "program" });
const { status, output } = await runs.poll(handle);
console.log(status, output, task === task3 && tasks === tasks3);
`;
const oldProgram = `
const { runs, tasks } = require("@runlane/sdk");

tasks.trigger("greet", { name: "CommonJS" }).then((handle) => runs.poll(handle)).then(({ output }) => console.log(output));
`;
const kitProgram = `
import { task } from "@runlane/sdk";
import { createTestPlatform } from "@runlane/sdk/testing";

const greet = task({ id: "greet", run: async ({ name }) => "hello " + name });
const platform = await createTestPlatform();
const { status, output } = await platform.run(greet, { name: "kit" });
await platform.close();
console.log(status, output);
`;
const types = `
import { runs, type TaskOutput, tasks } from "@runlane/sdk";
import { createTestPlatform } from "@runlane/sdk/testing";
import { AbortTaskRunError, task } from "@runlane/sdk/v3";
import { startServer } from "runlane";
import type { greet } from "./trigger/greet.js";

const handle = await tasks.trigger<typeof greet>("greet", { name: "types" });
const { output } = await runs.poll(handle);
export const greeting: string | undefined = output;
export const promised: TaskOutput<typeof greet> = "hello";
export const other = task({ id: "other", run: async (count: number) => count + 1 });
// @ts-expect-error It takes a number.
await other.trigger("one");
const platform = await createTestPlatform({ tasks: [other] });
export const next: number | undefined = (await platform.run(other, 1)).output;
// @ts-expect-error It takes a number.
await platform.run(other, "one");
platform.mock(other, (count) => count.toFixed().length);
// @ts-expect-error Its payload has a name.
await tasks.trigger<typeof greet>("greet", { surname: "types" });
export { AbortTaskRunError, startServer };
`;

let project: InstalledProject;

beforeAll(async () => {
  project = await InstalledProject.install({
    manifest: ({ sdk, runlane }) => ({ type: "module", dependencies: { "@runlane/sdk": `file:${sdk}`, runlane: `file:${runlane}` } }),
    files: { "trigger/greet.ts": task, "main.mjs": program, "main.cjs": oldProgram, "kit.mjs": kitProgram, "types.ts": types },
    onCleanUp: afterAll,
  });
});

describe.each(["@runlane/sdk", "runlane"])("the package %s", (name) => {
  test("holds its licence and a page about it, and no tests", () => {
    const files = project.filesOf(name);
    expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
    expect(files.filter((file) => /\.(test|suite|fixture)\.|(^|\/)testing(\/|$)|tsbuildinfo/.test(file))).toEqual([]);
  });

  test("may be published, and depends on nothing that is not", () => {
    const { private: isPrivate, dependencies, license } = project.manifestOf(name) as { private?: boolean; dependencies: object; license: string };
    expect({ isPrivate, license }).toEqual({ isPrivate: undefined, license: "Apache-2.0" });
    expect(Object.keys(dependencies).filter((dependency) => dependency.startsWith("@runlane/") && dependency !== "@runlane/sdk")).toEqual([]);
  });
});

describe("installed by npm outside of the workspace", () => {
  beforeAll(async () => {
    const server = project.start("server");
    await server.until("the server listens", () => server.output.includes("Runlane listens"));
    const worker = project.start("worker");
    await worker.until("the worker is connected", () => worker.output.includes("connected to"));
  });

  test("npx runlane triggers a task and waits for it", async () => {
    expect(await project.npx("trigger", "greet", '{"name":"npx"}', "--wait")).toMatchObject({ code: 0, stdout: '"hello npx"\n' });
  });

  test("a program imports @runlane/sdk and @runlane/sdk/v3, which are the same", async () => {
    expect(await project.node("main.mjs")).toEqual({ code: 0, stdout: "COMPLETED hello program true\n", stderr: "" });
  });

  test("a program runs tasks on the testing kit, without the server", async () => {
    expect(await project.node("kit.mjs")).toEqual({ code: 0, stdout: "COMPLETED hello kit\n", stderr: "" });
  });

  test("a program requires it", async () => {
    expect(await project.node("main.cjs")).toMatchObject({ code: 0, stdout: "hello CommonJS\n" });
  });

  test("runs are listed, for which a thread of the server reads its database", async () => {
    const { code, stdout } = await project.runlane("runs", "list", "--json");
    expect(code).toBe(0);
    expect(stdout).toContain('"greet"');
  });
});

test.each(["node16", "nodenext", "bundler"] as const)("types resolve with moduleResolution %s, and all declarations are sound", async (module) => {
  expect(await project.typeFaults(["trigger/greet.ts", "types.ts"], module)).toBe("");
});
