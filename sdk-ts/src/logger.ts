import { startSpan, trace } from "./logger/trace.js";
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
  /**
   * Calls a function inside a span, and ends the span when it has ended. Spans that begin inside of it are named behind it. So far a span is a line in the run's log, at its end, with the time
   * that it took.
   *
   * @throws what the function throws
   */
  trace,
  /** Begins a span, to be ended by its `end`. */
  startSpan,
} as const satisfies Record<Level, Log> & Record<string, unknown>;

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
