import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { command } from "./command.mjs";
import { root } from "./repository.mjs";

/**
 * Runs one project of vitest.config.ts and counts each of its tests. Prints a line for each file; what vitest itself has to say, only if something failed: tests of
 * programs that break down are noisy.
 *
 * @param {import("./tally.mjs").Tally} tally counts them
 * @param {string} project name of the project
 * @param {Record<string, string>} env added to the environment of the tests
 */
export async function runVitest(tally, project, env) {
  const folder = await mkdtemp(join(tmpdir(), "runlane-vitest-"));
  try {
    const report = join(folder, "report.json");
    const args = ["run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const { code, output } = await command("vitest", args, { env });
    const text = await readFile(report, "utf8").catch(() => undefined);
    const failed = text === undefined ? 0 : count(tally, JSON.parse(text));
    if (code !== 0) console.log(output);
    if (code !== 0 && failed === 0) tally.fail(`vitest ended with exit code ${code}, though no test failed; its message is above`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * What the report says of a file.
 *
 * @typedef {{ fullName: string, status: string, failureMessages: string[] }} TestReport
 * @typedef {{ name: string, status: string, message: string, startTime: number, endTime: number, assertionResults: TestReport[] }} FileReport
 */

/**
 * Counts each test of a report of vitest's JSON reporter, once, however often it was tried. What failed at first and passed then is told with its message.
 *
 * @param {import("./tally.mjs").Tally} tally counts them
 * @param {{ testResults: FileReport[] }} report
 * @returns {number} how many have failed
 */
export function count(tally, report) {
  let failed = 0;
  const fail = (name) => {
    failed++;
    tally.fail(name);
  };
  for (const file of report.testResults) {
    const name = relative(root, file.name);
    const tests = file.assertionResults.length;
    console.log(`   ${file.status.padEnd(6)} ${name} (${tests} ${tests === 1 ? "test" : "tests"}, ${((file.endTime - file.startTime) / 1_000).toFixed(1)} s)`);
    // A file that does not load has no tests, only a message.
    if (file.status === "failed" && file.assertionResults.every((test) => test.status === "passed"))
      fail(`${name}: ${file.message || "failed outside its tests"}`);
    for (const test of file.assertionResults) {
      // Vitest keeps the errors of a first attempt.
      if (test.status === "passed" && test.failureMessages.length > 0) {
        console.log(`   at first, ${test.fullName} failed: ${test.failureMessages[0]}`);
        tally.passOnSecondAttempt(`${name}: ${test.fullName}`);
      } else if (test.status === "passed") tally.pass();
      else if (test.status === "failed") fail(`${name}: ${test.fullName}`);
      else tally.skip(`${name}: ${test.fullName}`);
    }
  }
  return failed;
}
