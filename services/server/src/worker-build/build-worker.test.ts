import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryProject } from "../testing/temporary-project.js";
import { buildWorker, WorkerBuilder } from "./build-worker.js";
import { resolveSdk } from "./index-tasks.js";
import { WorkerBuildError } from "./worker-build-error.js";

const sdk = 'import { task } from "@runlane/sdk";\n';
const taskSource = (id: string, more = "") => `${sdk}export const it = task({ id: "${id}", ${more} run: async () => "${id}" });\n`;
const build = (cwd: string, dirs: string[] = []) => buildWorker({ dirs, cwd });

describe("a build", () => {
  test("knows the tasks, each with its file, also when files import each other", async () => {
    const folder = temporaryProject({
      "trigger/parent.ts": `import { it as child } from "./deep/child.js";\n${taskSource("parent", "description: child.id, queue: { name: 'family', concurrencyLimit: 2 },")}`,
      "trigger/deep/child.ts": `${taskSource("child", "retry: { maxAttempts: 7 }, machine: 'small-2x',")}${taskSource("hidden").replace(sdk, "").replace("export const it = ", "")}`,
      "trigger/plain.mjs": taskSource("plain"),
    });
    const { manifest } = await build(folder);
    expect(manifest.tasks).toEqual([
      { id: "child", filePath: "trigger/deep/child.ts", maxAttempts: 7, machine: "small-2x" },
      { id: "hidden", filePath: "trigger/deep/child.ts", maxAttempts: 3 },
      { id: "parent", description: "child", filePath: "trigger/parent.ts", queue: "family", concurrencyLimit: 2, maxAttempts: 3 },
      { id: "plain", filePath: "trigger/plain.mjs", maxAttempts: 3 },
    ]);
    for (const module of manifest.modules) expect(existsSync(module)).toBe(true);
    expect(existsSync(manifest.runnerEntry!)).toBe(true);
  });

  test("knows the JSON Schemas of payloads, as far as there are some", async () => {
    const folder = temporaryProject({
      "trigger/a.ts": `${taskSource("a", "jsonSchema: { type: 'number' },")}${taskSource("b").replace(sdk, "").replace("export const it = ", "")}`,
    });
    const { manifest } = await build(folder);
    expect(manifest.tasks.map(({ id, payloadSchema }) => [id, payloadSchema])).toEqual([
      ["a", '{"type":"number"}'],
      ["b", undefined],
    ]);
  });

  test("is the same for the same sources, wherever they lie, and another for others", async () => {
    const sources = { "trigger/a.ts": `${taskSource("a")}console.log(import.meta.url);`, "trigger/b.ts": `import "./a.js";${taskSource("b")}` };
    const { manifest: first } = await build(temporaryProject(sources));
    const { manifest: second } = await build(temporaryProject(sources));
    const { manifest: other } = await build(temporaryProject({ ...sources, "trigger/b.ts": taskSource("b", "description: 'new',") }));
    expect(second.buildId).toBe(first.buildId);
    expect(other.buildId).not.toBe(first.buildId);
  });

  test("of files in which only a comment has changed since another process built them is the same, and there", async () => {
    const folder = temporaryProject({ "trigger/a.ts": taskSource("a"), "trigger/b.ts": `import "./a.js";${taskSource("b")}` });
    const { manifest: first } = await build(folder);
    writeFileSync(join(folder, "trigger/a.ts"), `// a comment\n${taskSource("a")}`);
    const { manifest: second } = await build(folder);
    expect(second.buildId).toBe(first.buildId);
    for (const module of [...first.modules, ...second.modules]) expect(existsSync(module)).toBe(true);
    expect(second.tasks).toEqual(first.tasks);
  });

  test("follows the config: folders, retries, isolation, log level", async () => {
    const folder = temporaryProject({
      "runlane.config.ts": `import { defineConfig } from "@runlane/sdk";
        const dirs: string[] = ["./jobs"];
        export default defineConfig({ project: "x", dirs, retries: { default: { maxAttempts: 9, factor: 3 } }, isolation: "process", logLevel: "debug", ttl: "1h", extraCACerts: "x" });`,
      "jobs/a.ts": taskSource("a"),
      "jobs/b.ts": taskSource("b", "retry: { factor: 1 },"),
      "trigger/c.ts": taskSource("c"),
    });
    const { manifest, warnings } = await build(join(folder, "jobs"));
    expect(manifest).toMatchObject({ defaultRetry: { maxAttempts: 9, factor: 3 }, isolation: "process", logLevel: "debug" });
    expect(manifest.tasks.map(({ id, maxAttempts }) => [id, maxAttempts])).toEqual([
      ["a", 9],
      ["b", 3],
    ]);
    expect(manifest.tasks.map(({ ttl }) => ttl)).toEqual([3_600, 3_600]);
    expect(warnings).toEqual([expect.stringContaining("extraCACerts")]);
  });

  test("gives tasks the config's machine and limits, unless they say", async () => {
    const folder = temporaryProject({
      "runlane.config.ts": `export default { machine: "small-1x", maxDuration: 60, stallTimeout: 20, retries: { default: { outOfMemory: { machine: "medium-1x" } } } };`,
      "trigger/a.ts": taskSource("a"),
      "trigger/b.ts": taskSource("b", "machine: { cpu: 2, memory: 2 }, maxDuration: 7, retry: { maxAttempts: 2 },"),
      "trigger/c.ts": taskSource("c", "maxDuration: 2_147_483_647, retry: { outOfMemory: { machine: 'large-2x' } },"),
    });
    const { manifest, warnings } = await build(folder);
    expect(warnings).toEqual([]);
    expect(manifest).toMatchObject({ stallSeconds: 20 });
    expect(manifest.tasks.map(({ machine, maxDuration, outOfMemoryRetry }) => [machine, maxDuration, outOfMemoryRetry?.outOfMemory?.machine])).toEqual([
      ["small-1x", 60, "medium-1x"],
      ["medium-2x", 7, undefined],
      ["small-1x", 0, "large-2x"],
    ]);
  });

  test.each([
    [
      "the config's machine",
      { "runlane.config.ts": 'export default { machine: "huge" };', "trigger/a.ts": taskSource("a") },
      'config: machine: there is no machine "huge"; there are micro',
    ],
    ["a task's", { "trigger/a.ts": taskSource("a", "machine: 'huge' as never,") }, 'task "a": machine: there is no machine "huge"'],
    ["the config's stall limit", { "runlane.config.ts": "export default { stallTimeout: 0 };", "trigger/a.ts": taskSource("a") }, "config: stallTimeout"],
  ])("is refused if %s makes no sense", async (_, files, words) => {
    await expect(build(temporaryProject(files))).rejects.toThrow(words);
  });

  test("names what the config has without effect, on one line", async () => {
    const folder = temporaryProject({
      "trigger.config.ts": `export default { project: "x", telemetry: { exporters: [] }, deploy: { env: {} }, build: { extensions: [{}], minify: true } };`,
      "trigger/a.ts": taskSource("a"),
    });
    expect((await build(folder)).warnings).toEqual([
      expect.stringMatching(/^[^\n]*trigger\.config\.ts: without effect so far: telemetry, deploy, build\.extensions$/),
    ]);
  });

  test("loads init before the other files of its folder, and finds tasks that nobody exports, also in packages of the workspace", async () => {
    const folder = temporaryProject({
      "trigger/a.ts": `${sdk}task({ id: "hidden", description: String((globalThis as { ready?: string }).ready), run: async () => 1 });`,
      "trigger/init.ts": "(globalThis as { ready?: string }).ready = 'after init';",
      "trigger/b.ts": `import "../lib/more.js";\n`,
      "lib/more.ts": taskSource("elsewhere").replace("export const it = ", ""),
    });
    const { manifest } = await build(folder);
    expect(manifest.tasks.map(({ id, description, filePath }) => [id, description, filePath])).toEqual([
      ["hidden", "after init", "trigger/a.ts"],
      ["elsewhere", undefined, "lib/more.ts"],
    ]);
  });

  test("follows what the config says of bundling: tsconfig, external packages, conditions, JSX, minify", async () => {
    const source = `${sdk}import { name } from "@lib/x";\nimport { where } from "inside";\nimport { kind } from "kinds";
        const h = (...parts: unknown[]) => parts.filter((part) => part !== null).join("-");
        task({ id: "a", description: [name, where, kind, <b>text</b>].join(), run: async function aVeryLongNameOfAFunction() {} });`;
    const files = {
      "package.json": '{ "type": "module" }',
      "tsconfig.tasks.json": '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }',
      "lib/x.ts": "export const name: string = 'aliased';",
      "node_modules/kinds/package.json": '{ "name": "kinds", "type": "module", "exports": { "special": "./special.js", "default": "./plain.js" } }',
      "node_modules/kinds/special.js": "export const kind = 'special';",
      "node_modules/kinds/plain.js": "export const kind = 'plain';",
      "packages/inside/package.json": '{ "name": "inside", "type": "module", "exports": { "types": "./index.ts", "default": "./index.js" } }',
      "packages/inside/index.js": "export const where = 'outside of the bundle';",
      "packages/inside/index.ts": "export const where: string = 'in the bundle';",
      "trigger/a.tsx": source,
    };
    const folder = temporaryProject({
      ...files,
      "runlane.config.ts": `export default { tsconfig: "./tsconfig.tasks.json", build: { external: ["inside"], conditions: ["special"], minify: true, jsx: { automatic: false, factory: "h" } } };`,
    });
    symlinkSync(join(folder, "packages/inside"), join(folder, "node_modules/inside"));
    const { manifest } = await build(folder);
    expect(manifest.tasks[0]!.description).toBe("aliased,outside of the bundle,special,b-text");
    expect(manifest.conditions).toEqual(["special"]);
    expect(readFileSync(manifest.modules[0]!, "utf8").split("\n").length).toBeLessThan(5);
  });

  test("loads config and task files with the variables that it is given, and is another build with others", async () => {
    const folder = temporaryProject({
      "runlane.config.ts": "export default { retries: { default: { maxAttempts: Number(process.env.ATTEMPTS) } } };",
      "trigger/a.ts": taskSource("a", "description: process.env.COLOUR ?? 'none',"),
    });
    let variables = { ATTEMPTS: "4", COLOUR: "red" };
    const builder = new WorkerBuilder({ dirs: [], cwd: folder, variables: () => variables });
    const red = await builder.build();
    expect(red.manifest.tasks).toEqual([expect.objectContaining({ description: "red", maxAttempts: 4 })]);
    expect((await builder.build()).manifest).toBe(red.manifest);
    variables = { ATTEMPTS: "5", COLOUR: "blue" };
    const blue = await builder.build();
    expect(blue.manifest.tasks).toEqual([expect.objectContaining({ description: "blue", maxAttempts: 5 })]);
    expect(blue.manifest.buildId).not.toBe(red.manifest.buildId);
    expect(blue.variables).toEqual(variables);
    expect(JSON.stringify(blue.manifest)).not.toContain("COLOUR");
  });

  test("keeps what a file knows of itself", async () => {
    const folder = temporaryProject({
      "trigger/a.ts": `${sdk}import { readFileSync } from "node:fs";\nimport { dirname } from "node:path";\nimport { fileURLToPath } from "node:url";
        const data = JSON.parse(readFileSync(new URL("./data.json", import.meta.url), "utf8"));
        const here = dirname(fileURLToPath(import.meta.url));
        task({ id: data.id, description: [here === __dirname, here === import.meta.dirname, __filename.endsWith("trigger/a.ts")].join(), run: async () => {} });`,
      "trigger/b.ts": `${sdk}import { dirname } from "node:path";\nimport { fileURLToPath } from "node:url";
        const __dirname = dirname(fileURLToPath(import.meta.url));
        task({ id: "own", description: __dirname.split("/").at(-1), run: async () => {} });`,
      "trigger/data.json": '{ "id": "from-data" }',
    });
    const { manifest } = await build(folder);
    expect(manifest.tasks.map(({ id, description }) => [id, description])).toEqual([
      ["from-data", "true,true,true"],
      ["own", "trigger"],
    ]);
  });

  test("leaves packages to Node, and bundles those of the workspace that Node could not load, path aliases and CommonJS", async () => {
    const folder = temporaryProject({
      "package.json": '{ "type": "module" }',
      "tsconfig.json": '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }',
      "src/alias.ts": "export const alias: string = 'alias';",
      "node_modules/plain/package.json": '{ "name": "plain", "type": "module", "exports": "./index.js" }',
      "node_modules/plain/index.js": "export const where = import.meta.url;",
      "node_modules/old/index.js": "module.exports = { old: true };",
      "packages/shared/package.json": '{ "name": "@repo/shared", "type": "module", "exports": "./index.ts" }',
      "packages/shared/index.ts": "export const shared: string = 'shared';",
      "trigger/legacy.cjs": "const old = require('old'); exports.legacy = String(old.old);",
      "trigger/a.ts": `${sdk}import { where } from "plain";\nimport { shared } from "@repo/shared";\nimport { alias } from "@/alias";\nimport { legacy } from "./legacy.cjs";
        task({ id: "a", description: [where.endsWith("node_modules/plain/index.js"), shared, alias, legacy].join(), run: async () => {} });`,
    });
    const link = join(folder, "node_modules/@repo/shared");
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(folder, "packages/shared"), link);
    const { manifest } = await build(folder);
    expect(manifest.tasks[0]!.description).toBe("true,shared,alias,true");
  });

  test("runs with the copy of the SDK that the project has under Trigger.dev's name; if that is Trigger.dev's own, with @runlane/sdk", () => {
    const project = (exports: string) =>
      temporaryProject({
        "node_modules/@trigger.dev/sdk/package.json": `{ "name": "any", "exports": ${exports} }`,
        "node_modules/@trigger.dev/sdk/runner.js": "",
      });
    const aliased = project('{ "./worker/runner": "./runner.js" }');
    expect(resolveSdk(aliased, "@runlane/sdk/worker/runner")).toBe(join(aliased, "node_modules/@trigger.dev/sdk/runner.js"));
    expect(resolveSdk(project('{ ".": "./runner.js" }'), "@runlane/sdk/worker/runner")).toMatch(/sdk-ts\/dist\/worker\/runner-main\.js$/);
  });
});

describe("a builder", () => {
  const config = (attempts: number) => `export default { project: "x", dirs: ["./jobs"], retries: { default: { maxAttempts: ${attempts} } } };`;
  const files = { "runlane.config.ts": config(3), "jobs/a.ts": `import "../src/lib.js";${taskSource("a")}`, "src/lib.ts": "export const lib = 1;" };

  test("gives the same manifest while nothing changes that matters, without asking the task files again", async () => {
    const folder = temporaryProject({
      ...files,
      "jobs/b.ts": `import { appendFileSync } from "node:fs";\n${taskSource("b")}appendFileSync("${"loaded"}", ".");`,
    });
    const builder = new WorkerBuilder({ dirs: [], cwd: folder });
    const first = await builder.build();
    const loaded = readFileSync(join(folder, "loaded"), "utf8");
    writeFileSync(join(folder, "jobs/a.ts"), `// a comment\n${files["jobs/a.ts"]}`);
    const second = await builder.build();
    expect(second.manifest).toBe(first.manifest);
    expect(readFileSync(join(folder, "loaded"), "utf8")).toBe(loaded);
    writeFileSync(join(folder, "jobs/a.ts"), taskSource("other"));
    expect((await builder.build()).manifest.tasks.map(({ id }) => id)).toEqual(["other", "b"]);
  });

  test("names every file that it was made from, the config's among them", async () => {
    const folder = temporaryProject(files);
    const { inputs } = await new WorkerBuilder({ dirs: [], cwd: folder }).build();
    expect([...inputs].sort()).toEqual(
      Object.keys(files)
        .map((file) => join(folder, file))
        .sort(),
    );
  });

  test("gives another build id to another way of running the same code", async () => {
    const folder = temporaryProject(files);
    const builder = new WorkerBuilder({ dirs: [], cwd: folder });
    const { manifest: three } = await builder.build();
    writeFileSync(join(folder, "runlane.config.ts"), config(7));
    const { manifest: seven } = await builder.build();
    expect(seven.buildId).not.toBe(three.buildId);
    expect([three, seven].map(({ tasks }) => tasks[0]!.maxAttempts)).toEqual([3, 7]);
    writeFileSync(join(folder, "runlane.config.ts"), config(3));
    expect((await builder.build()).manifest.buildId).toBe(three.buildId);
  });

  test("says which files an import has missed, and goes on when they are there", async () => {
    const folder = temporaryProject({ ...files, "jobs/a.ts": `import "../src/new/missing.js";${taskSource("a")}` });
    const builder = new WorkerBuilder({ dirs: [], cwd: folder });
    const error = await builder.build().catch((caught) => caught);
    expect(error).toBeInstanceOf(WorkerBuildError);
    expect(error.missing).toEqual([join(folder, "src/new/missing.js")]);
    mkdirSync(join(folder, "src/new"));
    writeFileSync(join(folder, "src/new/missing.ts"), "export {};");
    await builder.build();
  });
});

describe("what cannot be built says why", () => {
  const failing = async (files: Record<string, string>, dirs?: string[]) => {
    const folder = temporaryProject(files);
    return build(
      folder,
      dirs?.map((dir) => join(folder, dir)),
    ).then(
      () => "it could be built",
      (error: Error) => `${error.name}: ${error.message}`,
    );
  };

  test("a syntax error, with its place", async () => {
    const words = await failing({ "trigger/a.ts": `${taskSource("a")}const = 7;\n` });
    expect(words).toMatch(/WorkerBuildError: the task files cannot be built:/);
    expect(words).toContain("trigger/a.ts:3:6");
  });

  test("a file that throws, with the stack of its source", async () => {
    const words = await failing({ "trigger/a.ts": `${taskSource("a")}\n\nfunction fail(): never {\n  throw new RangeError("while loading");\n}\nfail();\n` });
    expect(words).toContain("trigger/a.ts cannot be loaded:");
    expect(words).toContain("RangeError: while loading");
    expect(words).toMatch(/trigger\/a\.ts:6:9/);
  });

  test("a package that is not there", async () => {
    const words = await failing({ "trigger/a.ts": `import "not-installed";\n${taskSource("a")}` });
    expect(words).toMatch(/Cannot find package 'not-installed'/);
  });

  test("two tasks with one id, with both files", async () => {
    const words = await failing({ "trigger/a.ts": taskSource("same"), "trigger/b.ts": taskSource("same") });
    expect(words).toContain('"same" in trigger/a.ts and trigger/b.ts');
  });

  test("a file that never finishes loading", async () => {
    const words = await failing({ "trigger/a.ts": `${taskSource("a")}await new Promise(() => {});` });
    expect(words).toContain("their process ended with exit code 13");
  });

  test("files without a task", async () => {
    expect(await failing({ "trigger/a.ts": "export const nothing = 1;" })).toContain("the task files declare no task");
  });

  test("a config that throws, or exports nothing", async () => {
    expect(await failing({ "runlane.config.ts": "throw new Error('in the config');", "trigger/a.ts": taskSource("a") })).toMatch(
      /runlane\.config\.ts cannot be loaded: .*Error: in the config/s,
    );
    expect(await failing({ "trigger.config.js": "export const config = {};", "trigger/a.ts": taskSource("a") })).toContain("exports no config");
  });
});
