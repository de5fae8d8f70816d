import { defineConfig } from "vitest/config";

// Unit and property tests run on the sources; whole-system tests run what `npm run build` made, as users get it, a few files at a time, for they wait more than they
// compute. Those of survival run one file after the other: they kill processes under load and judge times, and this must also hold on a machine with two cores.
export default defineConfig({
  test: {
    projects: [
      {
        resolve: { conditions: ["@runlane/source"] },
        ssr: { resolve: { conditions: ["@runlane/source"] } },
        test: {
          name: "unit",
          include: ["{sdk-ts,testing-kit,bench,services/*}/src/**/*.test.ts", "scripts/**/*.test.mjs"],
          testTimeout: 20_000,
          hookTimeout: 20_000,
          // Vitest would leave a core free, and so use one of two.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "system",
          include: ["{test,examples}/**/*.test.ts"],
          exclude: ["test/survival/**"],
          maxWorkers: 3,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "survival",
          include: ["test/survival/**/*.test.ts"],
          fileParallelism: false,
          // Tests of leases wait side by side: all of them, not five at a time.
          maxConcurrency: 10,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
