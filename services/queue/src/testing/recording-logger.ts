import { createLogger, type Logger } from "@runlane/platform";

/** A logger that keeps what it is told, for tests. */
export function recordingLogger(): { readonly logger: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { logger: createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: "debug" }, destination }), lines };
}
