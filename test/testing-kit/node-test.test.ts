import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { repository } from "../support/program.js";

test("the kit works under node:test, in parallel processes, and lets them end", async () => {
  const folder = join(repository, "test/fixtures/node-test");
  const files = ["greeting.test.mjs", "weather.test.mjs"].map((file) => join(folder, file));
  const { stdout } = await promisify(execFile)(process.execPath, ["--test", "--test-reporter=tap", ...files], {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  expect(stdout).toMatch(/^# pass 3$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});
