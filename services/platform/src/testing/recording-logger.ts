import { Writable } from "node:stream";
import { type Logger, pino } from "pino";

/** A logger that keeps what it is told, for tests. */
export function recordingLogger(): { logger: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  return { logger: pino({ level: "trace" }, stream), lines };
}
