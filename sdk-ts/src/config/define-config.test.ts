import { expect, test } from "vitest";
import { defineConfig, keysWithoutEffect } from "./define-config.js";

test("a config written for Trigger.dev is taken as it is, and what has no effect can be named", () => {
  const config = defineConfig({
    project: "proj_abc",
    runtime: "node-22",
    dirs: ["./trigger"],
    maxDuration: 3_600,
    logLevel: "debug",
    retries: { enabledInDev: true, default: { maxAttempts: 3, minTimeoutInMs: 1_000, maxTimeoutInMs: 10_000, factor: 2, randomize: true } },
    machine: undefined,
    build: { external: ["sharp"] },
    onFailure: async ({ error }: { error: unknown }) => void error,
  });
  expect(config.dirs).toEqual(["./trigger"]);
  expect(keysWithoutEffect(config)).toEqual(["runtime"]);
});

test("extensions of the build are named, the rest of it has an effect", () => {
  expect(keysWithoutEffect(defineConfig({ build: { extensions: [{ name: "ffmpeg" }], conditions: ["react-server"], jsx: { automatic: false } } }))).toEqual([
    "build.extensions",
  ]);
  expect(
    keysWithoutEffect(
      defineConfig({ enableConsoleLogging: true, disableConsoleInterceptor: true, tsconfig: "./tsconfig.tasks.json", build: { extensions: [] } }),
    ),
  ).toEqual([]);
});
