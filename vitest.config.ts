import { defineConfig } from "vitest/config";
import { SlowFirst } from "./test/support/slow-first.js";

const patience = { expect: { poll: { timeout: 20_000 } }, setupFiles: ["scripts/patience.mjs"] };

// Unit and property tests run on the sources; whole-system tests run what `npm run build` made, as users get it, a few files at a time, for they wait more than they
// compute; so do the leases among the tests of survival. The others of those run one file after the other: they kill processes under load and judge times, and this must
// also hold on a machine with two cores.
const waiting = ["test/survival/{lease,ledger,stale-token}.test.ts"];

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
          name: "system",
          include: ["{test,examples}/**/*.test.ts"],
          exclude: ["test/survival/!(lease|ledger|stale-token).test.ts", "test/simulation/**"],
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
          name: "survival",
          include: ["test/survival/**/*.test.ts"],
          exclude: waiting,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
