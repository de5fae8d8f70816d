import { type DestinationStream, type Level, type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger };

/** What `RUNLANE_LOG_LEVEL` may say. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** Name of the service; in every line. */
  name: string;
  /** Where the level comes from: `RUNLANE_LOG_LEVEL`, default `info`. Default: the process's environment. */
  env?: NodeJS.ProcessEnv;
  /** Where lines go. Default: standard output, as JSON, one object a line. */
  destination?: DestinationStream;
}

// Keys as they come in headers, credentials and options; a key in a message text is not found.
const secrets = ["authorization", "secretKey", "secret_key", "password", "pass", "RUNLANE_SECRET_KEY", "TRIGGER_SECRET_KEY"];

/**
 * Makes a logger: JSON lines with `level` as a word, `time` as ISO 8601, `name`, `pid`, `msg`. Secret keys, passwords and authorization headers are written
 * as `[redacted]`, at the top of an entry and one or two levels below.
 *
 * @throws Error if `RUNLANE_LOG_LEVEL` is none of the levels.
 */
export function createLogger(options: LoggerOptions): Logger {
  const level = (options.env ?? process.env).RUNLANE_LOG_LEVEL?.toLowerCase() || "info";
  if (!(logLevels as readonly string[]).includes(level)) throw new Error(`RUNLANE_LOG_LEVEL=${level} is none of ${logLevels.join(", ")}`);
  const settings = {
    name: options.name,
    level: level as Level,
    base: { pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secrets.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: "[redacted]" },
  };
  return options.destination ? pino(settings, options.destination) : pino(settings);
}
