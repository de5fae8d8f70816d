import { defineConfig } from "@runlane/sdk";

/** For a worker of the same tasks that gives every attempt a process of its own. */
export default defineConfig({ project: "bench", dirs: ["tasks"], isolation: "process" });
