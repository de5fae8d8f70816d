import type { AttemptReport } from "./attempt-reporter.js";
import type { WorkerRoom } from "./worker-capacity.js";

/** What a launcher tells its supervisor. Address and key are not among it: arguments of a process are for everybody to see, so they come by the environment. */
export interface SupervisorArguments extends WorkerRoom {
  readonly manifestFile: string;
  /** See Hello. */
  readonly workerId: string;
  readonly incarnation: number;
  /** Attempts at once. */
  readonly slots: number;
  /** How long attempts may go on after the first SIGTERM or SIGINT, in milliseconds. */
  readonly graceMs: number;
  /** Tells the launcher of every attempt. Default false. */
  readonly reportsAttempts?: boolean | undefined;
}

/** What a supervisor tells its launcher: lines of JSON on pipe 3, each with one of these. */
export interface SupervisorLine {
  /** The server has taken the worker, for the first time or again. */
  readonly connected?: { readonly environment: string; readonly version: string };
  /** It takes no new work from here on. */
  readonly draining?: true;
  readonly attempt?: AttemptReport;
}

/** What a launcher tells its supervisor, in the same way. */
export interface LauncherLine {
  /** Take no new work, and leave when the present attempts have ended, or in `graceMs` milliseconds. A later line can only shorten the time. */
  readonly drain?: { readonly graceMs?: number | undefined };
}

/** Takes pieces of text, and calls `take` with each line of JSON in them. */
export function jsonLines<Line>(take: (line: Line) => void): (chunk: Buffer | string) => void {
  let text = "";
  return (chunk) => {
    const lines = (text + chunk.toString()).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) take(JSON.parse(line) as Line);
  };
}

/** Exit codes of a supervisor by which its launcher knows not to start it again. */
export const supervisorExitCodes = {
  /** It was told to stop, and has. */
  finished: 0,
  /** The server does not want this worker, or it can not start at all; it has said why. */
  refused: 78,
} as const;
