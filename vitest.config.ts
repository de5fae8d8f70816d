import { defineConfig } from "vitest/config";

const patience = { expect: { poll: { timeout: 20_000 } }, setupFiles: ["scripts/patience.mjs"] };

// Unit and property tests run on the sources; whole-system tests run what `npm run build` made, as users get it, a few files at a time, for they wait more than they
// compute. Those of survival run one file after the other: they kill processes under load and judge times, and this must also hold on a machine with two cores.
export default defineConfig({
  test: {
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
          // Vitest would leave a core free, and so use one of two.
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...patience,
          name: "system",
          include: ["{test,examples}/**/*.test.ts"],
          exclude: ["test/survival/**"],
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...patience,
          name: "survival",
          include: ["test/survival/**/*.test.ts"],
          fileParallelism: false,
          // Tests of leases wait side by side: all of them, not five at a time.
          maxConcurrency: 10,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
