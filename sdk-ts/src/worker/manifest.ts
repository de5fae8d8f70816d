import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { LogLevel } from "../logger.js";
import type { ConcurrencyLimitOptions, DeclaredConcurrency } from "../queues/concurrency-limit.js";
import type { DeclaredQueue } from "../queues/queue.js";
import type { RetryOptions } from "../task/retry-options.js";

/** What a build hands to a worker: which bundles to load, and which tasks they hold. Stored as JSON beside the bundles, so that a worker greets the server before it has loaded any. */
export interface WorkerManifest {
  /** 1. A worker refuses others. */
  readonly formatVersion: 1;
  /** Content hash of the code; workers with the same one run the same version. */
  readonly buildId: string;
  /** The config's `project`, which `ctx.project` shows. Default "default". */
  readonly project?: string | undefined;
  /** Bundles to import, in this order: ES modules, relative to the manifest's folder or absolute. */
  readonly modules: readonly string[];
  /** Bundle of the config, if it has hooks: imported before the others. Relative to the manifest's folder or absolute. */
  readonly configModule?: string | undefined;
  /** Entry of the runner process, from the copy of the SDK that the tasks import. Undefined: the worker's own. Relative to the manifest's folder or absolute. */
  readonly runnerEntry?: string | undefined;
  readonly tasks: readonly ManifestTask[];
  /** Queues that are declared by themselves. Default: none. */
  readonly queues?: readonly DeclaredQueue[] | undefined;
  /** Limits that tasks share. Default: none. */
  readonly concurrencyLimits?: readonly ConcurrencyLimitOptions[] | undefined;
  /** The config's `retries.default`, for tasks without `retry`. */
  readonly defaultRetry?: RetryOptions | undefined;
  /** False: no failed attempt is tried again. Default true. */
  readonly retriesEnabled?: boolean | undefined;
  /** "process" gives every attempt a process of its own. Default "shared": only tasks with a `machine` have one. */
  readonly isolation?: "shared" | "process" | undefined;
  /** How long a runner's event loop may be blocked, in seconds. Default 300. */
  readonly stallSeconds?: number | undefined;
  /** The least severe level of `logger` that is printed. Default "info". */
  readonly logLevel?: LogLevel | undefined;
  /** Conditions of imports that runners are started with, besides Node's own. */
  readonly conditions?: readonly string[] | undefined;
  /** What tasks print is left as it is, without the name of the run in front. Default false. */
  readonly plainOutput?: boolean | undefined;
  /** Runners print nothing of failed attempts, because whoever started the worker does. Default false. */
  readonly quietFailures?: boolean | undefined;
}

/** A task of a build. */
export interface ManifestTask {
  readonly id: string;
  readonly description?: string | undefined;
  /** File that declares it, relative to the project. */
  readonly filePath: string;
  /** JSON Schema of its payload, as text. */
  readonly payloadSchema?: string | undefined;
  readonly queue?: string | undefined;
  readonly concurrencyLimit?: number | undefined;
  /** Attempts in total, the config's default included. */
  readonly maxAttempts: number;
  /** Preset of a machine, the config's default included; the task then has a process of its own. */
  readonly machine?: string | undefined;
  /** Seconds that an attempt may be active, the config's default included. Unset or 0: no limit. */
  readonly maxDuration?: number | undefined;
  /** The limits that its runs hold beside their queue's. */
  readonly concurrency?: DeclaredConcurrency | undefined;
  /** Seconds that a run may be in its queue before it starts, the config's default included. Unset or 0: no limit. */
  readonly ttl?: number | undefined;
  /** A run that waits when its worker is lost starts anew. Unset: it goes on from its journal. */
  readonly restartOnWorkerLoss?: boolean | undefined;
  /** Retry options that name a machine for attempts whose memory runs out, the config's default included. Unset: such an attempt is the last. */
  readonly outOfMemoryRetry?: RetryOptions | undefined;
}

/**
 * Reads a manifest; paths in the answer are absolute.
 *
 * @throws Error if there is none, or it is not a manifest of this format.
 */
export function readManifest(file: string): WorkerManifest {
  const manifest = JSON.parse(readFileSync(file, "utf8")) as WorkerManifest;
  if (manifest.formatVersion !== 1) {
    throw new Error(`${file} is not a manifest that this version of the SDK reads. The runlane command and @runlane/sdk must be of the same version.`);
  }
  const folder = dirname(file);
  return {
    ...manifest,
    modules: manifest.modules.map((module) => resolve(folder, module)),
    configModule: manifest.configModule === undefined ? undefined : resolve(folder, manifest.configModule),
    runnerEntry: manifest.runnerEntry === undefined ? undefined : resolve(folder, manifest.runnerEntry),
  };
}
