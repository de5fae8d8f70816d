import { defineConfig } from "@trigger.dev/sdk";

export default defineConfig({
  project: "proj_drop_in",
  runtime: "node",
  logLevel: "log",
  maxDuration: 3600,
  dirs: ["./trigger"],
  retries: {
    enabledInDev: true,
    default: { maxAttempts: 3, minTimeoutInMs: 10, maxTimeoutInMs: 50, factor: 2, randomize: true },
  },
});
