import type { TaskHookTable } from "../hooks/hook-table.js";
import type { ConcurrencyLimitOptions, DeclaredConcurrency } from "../queues/concurrency-limit.js";
import type { DeclaredQueue } from "../queues/queue.js";
import type { JSONSchema } from "../schema/json-schema.js";
import type { RetryOptions } from "../task/retry-options.js";
import type { TaskRunContext } from "./task-run-context.js";

/**
 * A task as a worker sees it: what `task()` was given, with types erased.
 *
 * Tasks register when their module loads, exported or not (Trigger.dev calls these hidden tasks).
 */
export interface RegisteredTask {
  readonly id: string;
  readonly description?: string | undefined;
  /** The user's function. */
  readonly run: (payload: unknown, params: { ctx: TaskRunContext; signal: AbortSignal; init: object }) => Promise<unknown> | unknown;
  /** Makes of the payload that arrived the one that `run` is given; throws, or rejects, for one that its schema refuses. */
  readonly parsePayload?: ((payload: unknown) => unknown) | undefined;
  /** What `schemaTask` was given; the JSON Schema of the payload may be had from it. */
  readonly schema?: object | undefined;
  /** JSON Schema of the payload, as given. */
  readonly jsonSchema?: JSONSchema | undefined;
  /** Undefined if it has none. */
  readonly hooks?: TaskHookTable | undefined;
  /** As given; undefined lets the config's default apply. */
  readonly retry?: RetryOptions | undefined;
  readonly queue?: { readonly name?: string | undefined; readonly concurrencyLimit?: number | undefined } | undefined;
  /** Preset of a machine; such a task always has a process of its own. */
  readonly machine?: string | undefined;
  /** Whole seconds that an attempt may be active; 0 for no limit. Undefined lets the config's default apply. */
  readonly maxDuration?: number | undefined;
  /** The limits that its runs hold beside their queue's. */
  readonly concurrency?: DeclaredConcurrency | undefined;
  /** Whole seconds that a run may be in its queue before it starts; 0 for no limit. Undefined lets the config's default apply. */
  readonly ttl?: number | undefined;
  /** A run that waits when its worker is lost starts anew, instead of going on from its journal. */
  readonly restartOnWorkerLoss?: boolean | undefined;
}

/**
 * Registered tasks of this process, in order of registration. Lives behind `Symbol.for` because several copies of the SDK may be loaded in one process (an alias, a
 * nested dependency) and must see the same tasks.
 */
export interface TaskRegistry {
  readonly tasks: RegisteredTask[];
  /** What `queue` was given, and tasks that say more of their queue than its name and limit. Of two with the same name the later counts. */
  readonly queues: DeclaredQueue[];
  /** What `concurrencyLimit` was given; likewise. */
  readonly concurrencyLimits: ConcurrencyLimitOptions[];
}

const key = Symbol.for("runlane.task-registry.v1");

/** The registry of this process. */
export function taskRegistry(): TaskRegistry {
  const holder = globalThis as { [key]?: TaskRegistry };
  holder[key] ??= { tasks: [], queues: [], concurrencyLimits: [] };
  return holder[key];
}
