import type { Logger } from "@runlane/platform";

/** What a logger of a thread wrote. */
interface ThreadLine {
  level: "trace" | "debug" | "info" | "warn" | "error" | "fatal";
  msg: string;
  name: string;
  [field: string]: unknown;
}

/**
 * Writes a thread's line into the log of its process, with the thread's name as `thread`. Name, time and process are those of the log: written twice, the second would count, and
 * `name` would not be the process's.
 */
export function logLineOf(logger: Logger, line: string): void {
  const { level, msg, name: thread, ...fields } = JSON.parse(line) as ThreadLine;
  delete fields.time;
  delete fields.pid;
  logger[level]({ thread, ...fields }, msg);
}
