import { utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { resolveWorkerTarget } from "@runlane/sdk/internal";
import { hostCapacity, launchWorker, type WorkerOptions } from "@runlane/sdk/worker";
import { buildWorker } from "./build-worker.js";
import { tasksWithoutRoom } from "./task-machines.js";

/** How often a worker shows that its build is in use, in milliseconds: once a day. */
const stampMs = 24 * 60 * 60_000;

/** How to run a worker. */
export interface RunWorkerOptions extends Pick<WorkerOptions, "capacity" | "concurrency" | "graceMs"> {
  /** Folders with task files, or files. Empty: the config's `dirs`, else all folders of the project named `trigger`. */
  readonly dirs: readonly string[];
  /** Config file. Default: the nearest runlane.config.ts or trigger.config.ts upward from the first of `dirs`, else from `cwd`. */
  readonly configFile?: string | undefined;
  /** Address of the server, for the worker and for the code of its tasks. Default: the environment's (RUNLANE_WORKER_ADDRESS for the worker, then RUNLANE_ADDRESS), else the nearest data folder's, else http://127.0.0.1:7400. */
  readonly address?: string | undefined;
  /** Default: the process's. */
  readonly cwd?: string | undefined;
  /** Takes a line for people. */
  readonly note: (line: string) => void;
  /** Aborted when the worker should stop: it finishes what it has within `graceMs`, and gives back the rest. A process that exits instead takes the worker with it at once. */
  readonly stop: AbortSignal;
}

/**
 * Builds a worker and runs it until it is stopped. Its supervisor and runners are processes of their own, which do not survive this one.
 *
 * @returns 0 if it was stopped, 1 if the server refused it; it has said why on stderr
 * @throws WorkerBuildError if it cannot be built from what the user wrote
 * @throws ApiClientMissingError if no secret key is found
 */
export async function runWorker(options: RunWorkerOptions): Promise<number> {
  const { cwd = process.cwd(), note, stop } = options;
  // The supervisor looks up the server itself, and again whenever it has gone: a server that was restarted may be found elsewhere.
  const given = options.address === undefined ? undefined : { RUNLANE_ADDRESS: options.address, RUNLANE_WORKER_ADDRESS: options.address };
  const { address } = resolveWorkerTarget({ ...process.env, ...given }, cwd);
  const { manifest, manifestFile, warnings } = await buildWorker({ dirs: options.dirs, configFile: options.configFile, cwd });
  const capacity = options.capacity ?? hostCapacity();
  for (const warning of [...warnings, ...tasksWithoutRoom(manifest.tasks, capacity)]) note(warning);
  const files = new Set(manifest.tasks.map((task) => task.filePath)).size;
  note(`${count(manifest.tasks.length, "task")} in ${count(files, "file")}, build ${manifest.buildId.slice(0, 8)}`);
  if (stop.aborted) return 0;
  const worker = launchWorker({
    manifestFile,
    cwd,
    concurrency: options.concurrency,
    capacity,
    graceMs: options.graceMs,
    env: given,
    onConnected: ({ environment, version }) => note(`connected to ${address}, environment ${environment}, version ${version}`),
  });
  stop.addEventListener("abort", () => worker.stop(), { once: true });
  // Builds that nobody has used for days are removed by the next one; this one is in use.
  const stamp = setInterval(() => void utimes(dirname(manifestFile), new Date(), new Date()).catch(() => {}), stampMs);
  return await worker.exited.finally(() => clearInterval(stamp));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
