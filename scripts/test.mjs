// `npm test`: installs and obtains what is missing, then runs every check and test that this machine can run. Ends with `N passed, N failed` alone on a line.
// RUNLANE_FULL=1 counts what had to be skipped as failed.
import { delimiter } from "node:path";
import { contractChanges, contractStyle, generatedCode } from "./checks/contracts.mjs";
import { errorCatalogue, fileLengths, imports, links, lockfile, machinePaths } from "./checks/house.mjs";
import { licences } from "./checks/licences.mjs";
import { publishing, tarballs, typesOfPackages } from "./checks/packages.mjs";
import { command } from "./command.mjs";
import { build, checkNode, installDependencies, natsServer } from "./ready.mjs";
import { Tally } from "./tally.mjs";
import { runVitest } from "./vitest-results.mjs";

const tally = new Tally({ skipsFail: process.env.RUNLANE_FULL === "1" });
const environment = {};

async function passes(program, args) {
  const { code, output } = await command(program, args);
  return code === 0 ? [] : [output.trim()];
}

/** One check after the other; two such rows at a time are as many as most machines of CI have cores. */
async function inTurn(checks) {
  for (const [name, find] of checks) await tally.check(name, find);
}

try {
  checkNode();
  await installDependencies();
  environment.RUNLANE_NATS_SERVER = await natsServer();
} catch (error) {
  console.log(error.message);
  tally.fail("what the tests need could not be obtained");
  process.exit(tally.finish());
}

await tally.check("build", () => build().then(() => []));
await Promise.all([
  inTurn([
    ["types of tests", () => passes("tsc", ["-p", "tsconfig.test.json"])],
    ["types of scripts", () => passes("tsc", ["-p", "tsconfig.scripts.json"])],
    ["types of drop-in files, with Trigger.dev's SDK", () => passes("tsc", ["-p", "test/drop-in/tsconfig.genuine.json"])],
    ["types of drop-in files, with Runlane's SDK", () => passes("tsc", ["-p", "test/drop-in/tsconfig.runlane.json"])],
    ["contracts: lint and format", contractStyle],
    ["contracts: nothing broken since the baseline", contractChanges],
    ["contracts: generated code is current", generatedCode],
    ["house: files of one noun", fileLengths],
    ["house: imports stay in their room", imports],
    ["house: lock file names no host and lacks nothing", lockfile],
    ["house: no paths of a machine", machinePaths],
    ["house: links lead somewhere", links],
    ["house: every error is explained", errorCatalogue],
  ]),
  inTurn([
    ["format and lint", () => passes("biome", ["check", "--error-on-warnings", "."])],
    ["packages: publint", publishing],
    ["packages: types resolve", typesOfPackages],
    ["packages: every dependency has a permissive licence", () => licences()],
  ]),
]);
// What was checked is what tests install. If it could not be made, they try it themselves, and say why not.
environment.RUNLANE_TEST_PACKAGES = await tarballs().then(
  (paths) => paths.join(delimiter),
  () => "",
);
await tally.part("unit and property tests", () => runVitest(tally, "unit", environment));
await tally.part("simulation", () => runVitest(tally, "simulation", environment));
await tally.part("whole-system tests", () => runVitest(tally, "system", environment));
await tally.part("survival", () => runVitest(tally, "survival", environment));
await tally.part("survival, one file after the other", () => runVitest(tally, "survival-alone", environment));
process.exitCode = tally.finish();
