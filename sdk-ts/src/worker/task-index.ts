import type { ConcurrencyLimitOptions, DeclaredConcurrency } from "../queues/concurrency-limit.js";
import type { DeclaredQueue } from "../queues/queue.js";
import type { RegisteredTask, TaskRegistry } from "../runtime/task-registry.js";
import type { RetryOptions } from "../task/retry-options.js";

/** What the code of a build declares. */
export interface TaskIndex {
  /** In the order in which they were declared; an id may occur twice. */
  tasks: IndexedTask[];
  /** Queues that are declared by themselves. Undefined: the SDK that the tasks import knows none. */
  queues?: readonly DeclaredQueue[];
  /** Limits that tasks share; likewise. */
  concurrencyLimits?: readonly ConcurrencyLimitOptions[];
  /** Bundles that threw while they were loaded, with the stack trace of what they threw. */
  failures: { module: string; message: string }[];
}

/** A task as its code declares it. */
export interface IndexedTask {
  readonly id: string;
  readonly description?: string | undefined;
  /** Source file, relative to the project; empty if it can not be told. */
  readonly filePath: string;
  /** JSON Schema of its payload, as text. */
  readonly payloadSchema?: string | undefined;
  readonly queue?: string | undefined;
  readonly concurrencyLimit?: number | undefined;
  readonly maxAttempts?: number | undefined;
  /** It has retry options of its own, so the config's do not apply. */
  readonly hasRetry: boolean;
  readonly machine?: string | undefined;
  /** Seconds, 0 for no limit. */
  readonly maxDuration?: number | undefined;
  readonly concurrency?: DeclaredConcurrency | undefined;
  /** Seconds, 0 for no limit. */
  readonly ttl?: number | undefined;
  readonly restartOnWorkerLoss?: boolean | undefined;
  /** It has retry options of its own with a machine for attempts whose memory runs out: these. */
  readonly outOfMemoryRetry?: RetryOptions | undefined;
}

/** Key of a global function that a bundle calls at the top of each source file, with its path, if somebody has put it there. */
export const taskFileHook = Symbol.for("runlane.task-file");

/** A registered task, as an index has it. `filePath` is relative to the project; `payloadSchema` its JSON Schema, as text. */
export function indexedTask(task: RegisteredTask, filePath: string, payloadSchema?: IndexedTask["payloadSchema"]): IndexedTask {
  return {
    id: task.id,
    description: task.description,
    filePath,
    payloadSchema,
    queue: task.queue?.name,
    concurrencyLimit: task.queue?.concurrencyLimit,
    maxAttempts: task.retry?.maxAttempts,
    hasRetry: task.retry !== undefined,
    machine: task.machine,
    maxDuration: task.maxDuration,
    concurrency: task.concurrency,
    ttl: task.ttl,
    ...(task.restartOnWorkerLoss ? { restartOnWorkerLoss: true } : {}),
    outOfMemoryRetry: task.retry?.outOfMemory?.machine === undefined ? undefined : task.retry,
  };
}

/** The queues and limits that code has declared by themselves: of those with one name the last. */
export function indexedLimits({ queues, concurrencyLimits }: TaskRegistry): Required<Pick<TaskIndex, "queues" | "concurrencyLimits">> {
  return { queues: lastOfEach(queues), concurrencyLimits: lastOfEach(concurrencyLimits) };
}

function lastOfEach<T extends { readonly name: string }>(declared: readonly T[]): T[] {
  return [...new Map(declared.map((one) => [one.name, one])).values()];
}
