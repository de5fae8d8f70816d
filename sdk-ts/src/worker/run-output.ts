import type { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";
import type { LogLevel } from "../logger.js";
import type { RunRuntime } from "../runtime/run-runtime.js";

const severity: Record<LogLevel, number> = { none: 0, error: 1, warn: 2, info: 3, log: 3, debug: 4 };

/**
 * Puts the name of its run in front of every line that an attempt prints, by console or otherwise: many attempts share a process, and many processes a terminal. Lines
 * are written at once, not passed to the supervisor, so that the last words of a process that breaks down are seen.
 */
export function labelOutput(storage: AsyncLocalStorage<RunRuntime>): void {
  for (const stream of [process.stdout, process.stderr]) {
    // Whoever reads it may stop reading; that is no fault of the run that prints.
    stream.on("error", () => {});
    const write = stream.write as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
    let atLineStart = true;
    const labelled = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      const runtime = storage.getStore();
      let written = chunk;
      if (runtime !== undefined && typeof chunk === "string" && chunk.length > 0) {
        const label = labelOf(runtime);
        const lines = chunk.replaceAll(/\n(?!$)/g, `\n${label}`);
        written = atLineStart ? label + lines : lines;
      }
      atLineStart = typeof chunk !== "string" || chunk.endsWith("\n");
      return write.call(stream, written, ...rest);
    };
    stream.write = labelled as typeof stream.write;
  }
}

/** Prints a line of a run's `logger` if its level is at least `least`: errors and warnings to stderr, others to stdout. Call it in the run's asynchronous context. */
export function printLog(least: LogLevel, level: string, message: string, properties: Record<string, unknown> | undefined): void {
  if ((severity[level as LogLevel] ?? severity.info) > severity[least]) return;
  const rest =
    properties === undefined || Object.keys(properties).length === 0 ? "" : ` ${inspect(properties, { breakLength: Number.POSITIVE_INFINITY, depth: 6 })}`;
  const stream = level === "error" || level === "warn" ? process.stderr : process.stdout;
  stream.write(`${level.toUpperCase()} ${message}${rest}\n`);
}

function labelOf(runtime: RunRuntime): string {
  const { run, task, attempt } = runtime.ctx;
  return attempt.number === 1 ? `[${run.id} ${task.id}] ` : `[${run.id} ${task.id} #${attempt.number}] `;
}
