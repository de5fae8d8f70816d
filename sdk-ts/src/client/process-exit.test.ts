import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeRunService } from "../testing/fake-run-service.js";
import type { FakeServer } from "../testing/fake-server.js";

// The process is of the build, as users get it: `npm run build` makes it.
const sdk = fileURLToPath(new URL("../../dist/index.js", import.meta.url));

let service: FakeRunService;
let server: FakeServer;

beforeEach(async () => {
  service = new FakeRunService();
  server = await service.start();
});

afterEach(() => server.stop());

/** Runs a program that uses the SDK, to its own end. */
async function run(program: string): Promise<{ code: number; output: string }> {
  const source = `import { runs, tasks } from ${JSON.stringify(sdk)};\n${program}`;
  const env = { ...process.env, RUNLANE_ADDRESS: server.address, RUNLANE_SECRET_KEY: "rl_dev_test" };
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], { env, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, output };
}

test("a program ends by itself after its triggers were awaited", async () => {
  const { code, output } = await run(`
    const handle = await tasks.trigger("echo", { a: 1 });
    const result = await tasks.triggerAndWait("echo", { a: 2 }).unwrap();
    process.stdout.write(handle.id + " " + JSON.stringify(result));
  `);
  expect({ code, output }).toEqual({ code: 0, output: 'run_1 {"a":2}' });
});

test("a trigger that nobody awaits is sent before the program ends", async () => {
  expect(await run(`void tasks.trigger("echo", 1);`)).toEqual({ code: 0, output: "" });
  expect(service.runs.size).toBe(1);
});

test("a program that only defines tasks and imports the SDK ends at once", async () => {
  expect((await run("")).code).toBe(0);
  expect(service.streams).toBe(0);
});

test("@grpc/grpc-js is loaded for the first call, and not before", async () => {
  const { output } = await run(`
    const { createRequire } = await import("node:module");
    const isLoaded = () => Object.keys(createRequire(process.cwd() + "/").cache).some((file) => file.includes("grpc-js"));
    const before = isLoaded();
    await tasks.trigger("echo", 1);
    process.stdout.write([before, isLoaded()].join());
  `);
  expect(output).toBe("false,true");
});
