/**
 * The parts of a worker, for the `runlane` command: not for applications, and without a promise that they stay as they are.
 */
export { presetOf } from "../machine/machine-option.js";
export { describeMachine, machinePreset } from "../machine/machine-preset.js";
export { maxDurationSeconds } from "../task/max-duration.js";
export { defaultRetryOptions } from "../task/retry-options.js";
export { secondsOption } from "../time/period.js";
export type { AttemptReport } from "./attempt-reporter.js";
export { defaultConcurrency, defaultGraceMs, type LaunchedWorker, launchWorker, type WorkerOptions } from "./launcher.js";
export { type ManifestTask, readManifest, type WorkerManifest } from "./manifest.js";
export { manifestTask } from "./manifest-task.js";
export { memoryGroupsHere } from "./memory-groups.js";
export { type IndexedTask, type TaskIndex, taskFileHook } from "./task-index.js";
export { hostCapacity, type WorkerCapacity } from "./worker-capacity.js";
export { logToStderr, type WorkerLog } from "./worker-log.js";
