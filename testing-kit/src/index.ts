/**
 * Tests of tasks: a whole Runlane in the test's own process, with time that does not pass by itself.
 */
export { createTestPlatform } from "./create-test-platform.js";
export type { AttemptOutcome, TaskCall, TestAttempt, TestLogLine } from "./run-records.js";
export type { TestPlatform, TestPlatformOptions } from "./test-platform.js";
