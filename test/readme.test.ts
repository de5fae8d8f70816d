import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { configure } from "@runlane/sdk";
import { expect, onTestFinished, test, vi } from "vitest";
import { Program, repository, runlaneCommand } from "./support/program.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { TestServer } from "./support/test-server.js";

test("the example in the README prints what it says", async () => {
  const folder = temporaryFolder();
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  // Each block names its file in its first line.
  const files = [...readme.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, path = "", content = ""]) => ({ path: join(folder, path), content }));
  expect(files).toHaveLength(2);
  for (const { path, content } of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  const promised = /console\.log\(.*\/\/ (.*)/.exec(readme)?.[1];

  const server = await TestServer.start();
  configure({ baseURL: server.address, secretKey: server.secretKey });
  const worker = new Program(runlaneCommand, ["worker", "my-app/trigger"], { cwd: folder, env: server.env });
  onTestFinished(async () => void (await worker.stop()));

  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import(join(folder, "my-app/main.ts"));
  const [status, output] = log.mock.lastCall ?? [];
  log.mockRestore();
  expect(`${status} ${inspect(output)}`).toBe(promised);
});
