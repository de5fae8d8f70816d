import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { AttemptReport } from "./attempt-reporter.js";
import { RestartBudget } from "./restart-budget.js";
import { jsonLines, type LauncherLine, type SupervisorArguments, type SupervisorLine, supervisorExitCodes } from "./supervisor-arguments.js";
import type { WorkerRoom } from "./worker-capacity.js";
import { logToStderr, type WorkerLog } from "./worker-log.js";

/** Attempts at once that a worker takes if nobody says otherwise: tasks mostly wait for something else than the processor. */
export const defaultConcurrency = 100;
/** How long attempts may go on after the first signal to stop, in milliseconds. */
export const defaultGraceMs = 30_000;

/** How a worker is set up. */
export interface WorkerOptions extends WorkerRoom {
  /** The build's manifest, a file. */
  readonly manifestFile: string;
  /** Attempts at once, at least 1; waiting ones do not count. Default 100. */
  readonly concurrency?: number | undefined;
  /** How long attempts may go on when the worker is told to stop, in milliseconds. Default 30,000. */
  readonly graceMs?: number | undefined;
  /** Working folder of its processes, and where the search for a data folder begins. Default: the process's. */
  readonly cwd?: string | undefined;
  /** Added to the environment of its processes. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Where the launcher's own words go. Default stderr. */
  readonly log?: WorkerLog | undefined;
  /** The server has taken the worker, for the first time or again. */
  readonly onConnected?: ((session: { environment: string; version: string }) => void) | undefined;
  /** Hears of every attempt. Default: nobody does. */
  readonly onAttempt?: ((report: AttemptReport) => void) | undefined;
  /** The supervisor's entry. Default: the one beside this file. */
  readonly supervisorEntry?: string | undefined;
}

/** A worker that runs. */
export interface LaunchedWorker {
  /** Process id of the present supervisor, which leads the group of the worker's processes. */
  readonly supervisorPid: number | undefined;
  /** The exit code to leave with, once the worker has ended: 0 if it was told to, 1 if the server refused it. */
  readonly exited: Promise<number>;
  /** Tells it to stop: it takes no new work, and what it has may finish within `graceMs`. Called again, or after `drain`, it ends at once. */
  stop(): void;
  /**
   * Tells it to take no new work, and to end when what it has is finished, or given back after `graceMs` milliseconds. Without `graceMs` there is no limit; called again, it can
   * only shorten the time. Resolves when the worker declines whatever it is still offered, or has ended.
   */
  drain(graceMs?: number): Promise<void>;
}

/**
 * Starts a worker, and keeps its supervisor alive: when that dies, the rest of its process group is killed, and another starts at once as the next incarnation of the same worker, which
 * tells the server that the older one's attempts are over. When this process dies, so does the worker.
 */
export function launchWorker(options: WorkerOptions): LaunchedWorker {
  const log = options.log ?? logToStderr;
  const entry = options.supervisorEntry ?? fileURLToPath(new URL("./supervisor-main.js", import.meta.url));
  const workerId = randomUUID();
  const budget = new RestartBudget();
  let incarnation = 0;
  let supervisor: ChildProcess | undefined;
  let restartTimer: NodeJS.Timeout | undefined;
  let stopping = false;
  let exit: (code: number) => void = () => {};
  const exited = new Promise<number>((resolve) => {
    exit = resolve;
  });
  let declines: () => void = () => {};
  const declining = new Promise<void>((resolve) => {
    declines = resolve;
  });
  void exited.then(declines);

  const start = () => {
    incarnation += 1;
    const args: SupervisorArguments = {
      manifestFile: options.manifestFile,
      workerId,
      incarnation,
      slots: options.concurrency ?? defaultConcurrency,
      capacity: options.capacity,
      sharedRunners: options.sharedRunners,
      graceMs: options.graceMs ?? defaultGraceMs,
      reportsAttempts: options.onAttempt !== undefined,
    };
    const child = spawn(process.execPath, [entry, JSON.stringify(args)], {
      // A group of its own: it can be killed whole, and a terminal's Ctrl-C reaches only this process.
      detached: true,
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    });
    supervisor = child;
    pipeOf(child)
      ?.on("error", () => {})
      .on(
        "data",
        jsonLines<SupervisorLine>(({ connected, attempt, draining }) => {
          if (connected) options.onConnected?.(connected);
          if (attempt) options.onAttempt?.(attempt);
          if (draining) declines();
        }),
      );
    child.once("error", (error) => ended(child, `could not be started: ${error.message}`, null));
    child.once("exit", (code, signal) => ended(child, signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`, code));
  };

  const ended = (child: ChildProcess, how: string, code: number | null) => {
    if (supervisor !== child) return;
    supervisor = undefined;
    killGroup(child.pid);
    if (code === supervisorExitCodes.refused) return exit(1);
    if (stopping) return exit(0);
    const delay = budget.delayMs();
    log(
      `the supervisor ${how}; ${delay === 0 ? "it is started again" : `it is started again in ${(delay / 1_000).toFixed(1)} s, because it has ended so often`}`,
    );
    if (delay === 0) start();
    else restartTimer = setTimeout(start, delay);
  };

  start();
  return {
    get supervisorPid() {
      return supervisor?.pid;
    },
    exited,
    stop() {
      if (supervisor === undefined) {
        clearTimeout(restartTimer);
        exit(0);
      } else if (stopping) killGroup(supervisor.pid);
      else supervisor.kill("SIGTERM");
      stopping = true;
    },
    drain(graceMs) {
      stopping = true;
      if (supervisor === undefined) {
        clearTimeout(restartTimer);
        exit(0);
      } else pipeOf(supervisor)?.write(`${JSON.stringify({ drain: { graceMs } } satisfies LauncherLine)}\n`);
      return declining;
    },
  };
}

/** Kills what is left of a supervisor's process group. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}

/** Carries lines of JSON in both directions; undefined for a process that could not be started. */
function pipeOf(supervisor: ChildProcess): Duplex | undefined {
  return (supervisor.stdio[3] as Duplex | null | undefined) ?? undefined;
}
