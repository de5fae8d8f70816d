// `npm test`: installs and obtains what is missing, then runs every check and test that this machine can run. Ends with `N passed, N failed` alone on a line.
// RUNLANE_FULL=1 counts what had to be skipped as failed.
import { contractChanges, contractStyle, generatedCode } from "./checks/contracts.mjs";
import { errorCatalogue, fileLengths, imports, links, lockfile, machinePaths } from "./checks/house.mjs";
import { licences } from "./checks/licences.mjs";
import { publishing, typesOfPackages } from "./checks/packages.mjs";
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

try {
  checkNode();
  await installDependencies();
  environment.RUNLANE_NATS_SERVER = await natsServer();
} catch (error) {
  console.log(error.message);
  tally.fail("what the tests need could not be obtained");
  process.exit(tally.finish());
}

await tally.check("format and lint", () => passes("biome", ["check", "--error-on-warnings", "."]));
await tally.check("build", () => build().then(() => []));
await tally.check("types of tests", () => passes("tsc", ["-p", "tsconfig.test.json"]));
await tally.check("types of scripts", () => passes("tsc", ["-p", "tsconfig.scripts.json"]));
await tally.check("types of drop-in files, with Trigger.dev's SDK", () => passes("tsc", ["-p", "test/drop-in/tsconfig.genuine.json"]));
await tally.check("types of drop-in files, with Runlane's SDK", () => passes("tsc", ["-p", "test/drop-in/tsconfig.runlane.json"]));
await tally.check("contracts: lint and format", contractStyle);
await tally.check("contracts: nothing broken since the baseline", contractChanges);
await tally.check("contracts: generated code is current", generatedCode);
await tally.check("house: files of one noun", fileLengths);
await tally.check("house: imports stay in their room", imports);
await tally.check("house: lock file names no host and lacks nothing", lockfile);
await tally.check("house: no paths of a machine", machinePaths);
await tally.check("house: links lead somewhere", links);
await tally.check("house: every error is explained", errorCatalogue);
await tally.check("packages: publint", publishing);
await tally.check("packages: types resolve", typesOfPackages);
await tally.check("packages: every dependency has a permissive licence", () => licences());
await tally.part("unit and property tests", () => runVitest(tally, "unit", environment));
await tally.part("whole-system tests", () => runVitest(tally, "system", environment));
await tally.part("survival", () => runVitest(tally, "survival", environment));
process.exitCode = tally.finish();
