import { currentRunRuntime } from "./runtime/run-runtime.js";

/** Least severe level that a worker prints; see `logLevel` of the config. */
export type LogLevel = "none" | "error" | "warn" | "info" | "log" | "debug";

type Level = Exclude<LogLevel, "none">;
type Log = (message: string, properties?: Record<string, unknown>) => void;

/**
 * Writes log lines: inside a run they belong to it, and the worker prints those that the config's `logLevel` lets through ("info" by default). Outside a run they go to the console.
 */
export const logger = {
  debug: lines("debug"),
  log: lines("log"),
  info: lines("info"),
  warn: lines("warn"),
  error: lines("error"),
} as const satisfies Record<Level, Log>;

function lines(level: Level): Log {
  return (message, properties) => {
    const runtime = currentRunRuntime();
    if (runtime) runtime.log(level, message, properties);
    // biome-ignore lint/suspicious/noConsole: outside a run there is no other place for a line that somebody wants to see
    else if (properties === undefined) console[level](message);
    // biome-ignore lint/suspicious/noConsole: as above
    else console[level](message, properties);
  };
}
