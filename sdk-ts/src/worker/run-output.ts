import type { AsyncLocalStorage } from "node:async_hooks";
import { propertyText } from "../logger/flat-properties.js";
import type { LogLevel } from "../logger.js";
import type { RunRuntime } from "../runtime/run-runtime.js";

const newline = 10;
/** How long a piece of a line waits for its end, in milliseconds. */
const pieceMs = 100;
const severity: Record<LogLevel, number> = { none: 0, error: 1, warn: 2, info: 3, log: 3, debug: 4 };

/**
 * Puts the name of its run in front of every line that an attempt prints, by console or otherwise: many attempts share a process, and many processes a terminal. Whole lines are written at
 * once, not passed to the supervisor, so that the last words of a process that breaks down are seen. A piece of a line waits for its end, a moment at most, so that two attempts never share one.
 */
export function labelOutput(storage: AsyncLocalStorage<RunRuntime>): void {
  for (const stream of [process.stdout, process.stderr]) {
    // Whoever reads it may stop reading; that is no fault of the run that prints.
    stream.on("error", () => {});
    const write = stream.write as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
    const pieces = new Map<RunRuntime, Piece>();
    /** What the process itself has written ends within a line. */
    let open = false;
    const writeLines = (runtime: RunRuntime, lines: string, rest: unknown[]) => {
      const label = labelOf(runtime);
      const written = `${open ? "\n" : ""}${label}${lines.replaceAll(/\n(?!$)/g, `\n${label}`)}`;
      open = false;
      return write.call(stream, written, ...rest);
    };
    const end = (runtime: RunRuntime) => {
      const piece = pieces.get(runtime);
      if (piece === undefined) return;
      pieces.delete(runtime);
      writeLines(runtime, `${piece.text}\n`, []);
    };
    process.on("exit", () => {
      for (const runtime of [...pieces.keys()]) end(runtime);
    });
    const labelled = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      const runtime = storage.getStore();
      if (runtime === undefined) {
        if (chunk.length > 0) open = chunk.at(-1) !== (typeof chunk === "string" ? "\n" : newline);
        return write.call(stream, chunk, ...rest);
      }
      const piece = pieces.get(runtime);
      const text = `${piece?.text ?? ""}${typeof chunk === "string" ? chunk : Buffer.from(chunk).toString()}`;
      if (piece) clearTimeout(piece.timer);
      const left = text.slice(text.lastIndexOf("\n") + 1);
      if (left === "") pieces.delete(runtime);
      else pieces.set(runtime, { text: left, timer: setTimeout(end, pieceMs, runtime).unref() });
      // The text is no longer in the encoding that was given.
      const done = rest.filter((argument) => typeof argument === "function");
      const lines = text.slice(0, text.length - left.length);
      return lines === "" ? write.call(stream, "", ...done) : writeLines(runtime, lines, done);
    };
    stream.write = labelled as typeof stream.write;
  }
}

/** The beginning of a line whose end has not been written. */
interface Piece {
  readonly text: string;
  readonly timer: NodeJS.Timeout;
}

/** Prints a line of a run's `logger` if its level is at least `least`: errors and warnings to stderr, others to stdout. Call it in the run's asynchronous context. */
export function printLog(least: LogLevel, level: string, message: string, properties: Record<string, unknown> | undefined): void {
  if ((severity[level as LogLevel] ?? severity.info) > severity[least]) return;
  const stream = level === "error" || level === "warn" ? process.stderr : process.stdout;
  stream.write(`${level.toUpperCase()} ${message}${propertyText(properties)}\n`);
}

function labelOf(runtime: RunRuntime): string {
  const { run, task, attempt } = runtime.ctx;
  return attempt.number === 1 ? `[${run.id} ${task.id}] ` : `[${run.id} ${task.id} #${attempt.number}] `;
}
