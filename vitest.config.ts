import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take ten seconds and more, the longest first. Any other may be added, or left out: this decides nothing but the time that all of them take together. */
const slow = [
  "test/survival/snapshots.test.ts",
  "test/dev.test.ts",
  "test/limits.test.ts",
  "test/survival/lease.test.ts",
  "test/survival/waiting-worker.test.ts",
  "test/nats-away.test.ts",
  "test/large-payloads.test.ts",
  "test/start.test.ts",
  "test/packages/installed.test.ts",
  "test/other-languages/clients.test.ts",
  "test/runs.test.ts",
  "test/command-line.test.ts",
  "test/browser.test.ts",
  "test/tls.test.ts",
  "test/history.test.ts",
  "test/http.test.ts",
  "sdk-ts/src/worker/limits.test.ts",
  "sdk-ts/src/worker/supervisor.test.ts",
  "sdk-ts/src/worker/runner.test.ts",
  "services/server/src/worker-build/build-worker.test.ts",
  "sdk-ts/src/worker/launcher.test.ts",
  "services/platform/src/log/jetstream-log.test.ts",
];

/** Starts the slow files first, so that none of them is still at work when all others have ended. Vitest would go by the size of files, which says little. */
class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = slow.findIndex((path) => moduleId.endsWith(`/${path}`));
      return index < 0 ? slow.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

// Tests that start processes are tried once more when they fail, and `npm test` names each that needed it. Those of units and properties are not: there a failure that
// comes and goes is what was to be found.
const again = { retry: 1 };

const patience = { expect: { poll: { timeout: 20_000 } }, setupFiles: ["scripts/patience.mjs"] };

// Unit and property tests run on the sources; whole-system tests run what `npm run build` made, as users get it, a few files at a time, for they wait more than they
// compute; so do the leases among the tests of survival. The others of those run two files at a time, and by themselves those that judge by a rate or by fractions of a second
// while they kill processes: this must also hold on a machine with two cores.
const waiting = ["test/survival/{lease,ledger,stale-token,waiting-server,waiting-worker}.test.ts"];
const judging = ["test/survival/{kill-loop,worker-loss}.test.ts"];

export default defineConfig({
  test: {
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        resolve: { conditions: ["@runlane/source"] },
        ssr: { resolve: { conditions: ["@runlane/source"] } },
        test: {
          ...patience,
          name: "unit",
          include: ["{sdk-ts,testing-kit,bench,services/*}/src/**/*.test.ts", "scripts/**/*.test.mjs"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Files share the modules of their worker: loading them for each file took as long as a third of all tests. So a file puts back what it changes for all.
          isolate: false,
          // More than there are cores, for those that start processes wait more than they compute.
          maxWorkers: 3,
        },
      },
      {
        test: {
          ...patience,
          ...again,
          name: "system",
          include: ["{test,examples}/**/*.test.ts"],
          exclude: ["test/survival/!(lease|ledger|stale-token|waiting-server|waiting-worker).test.ts", "test/simulation/**"],
          maxWorkers: 4,
          // Tests of leases wait side by side: all of them, not five at a time.
          maxConcurrency: 10,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // By itself, for it takes all cores; its files one after the other, for each does so.
        test: { name: "simulation", include: ["test/simulation/**/*.test.ts"], fileParallelism: false, testTimeout: 600_000, hookTimeout: 60_000 },
      },
      {
        test: {
          ...patience,
          ...again,
          name: "survival",
          include: ["test/survival/**/*.test.ts"],
          exclude: [...waiting, ...judging],
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...patience,
          ...again,
          name: "survival-alone",
          include: judging,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
