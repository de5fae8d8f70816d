import { type HookKind, hookKinds, hooksAmong } from "../hooks/hook-table.js";
import { presetOf } from "../machine/machine-option.js";
import { declaredConcurrency } from "../queues/concurrency-limit.js";
import { isName, nameRule } from "../queues/limit-rules.js";
import { declaredQueue, isQueue } from "../queues/queue.js";
import { type RegisteredTask, taskRegistry } from "../runtime/task-registry.js";
import { maxJsonSchemaLength } from "../schema/json-schema.js";
import { secondsOption } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import { batchTriggerRuns, batchTriggerRunsAndWait } from "./batch-trigger.js";
import { maxDurationSeconds } from "./max-duration.js";
import type { RetryOptions } from "./retry-options.js";
import type { DefineTask } from "./task-inference.js";
import type { Task, TaskOptions, TaskQueueOptions } from "./task-types.js";
import { type PayloadCheck, triggerRun, triggerRunAndWait } from "./trigger.js";
import { triggerRunAndSubscribe } from "./trigger-and-subscribe.js";

/** Marks the objects that `task` returns, whichever copy of the SDK made them. */
const taskTag = Symbol.for("runlane.task");

const supportedOptions: readonly (keyof TaskOptions<string>)[] = [
  "id",
  "description",
  "jsonSchema",
  "retry",
  "queue",
  "machine",
  "maxDuration",
  "concurrency",
  "ttl",
  "onWorkerLoss",
  "run",
  "handleError",
  ...hookKinds,
];
const supportedRetryOptions: readonly (keyof RetryOptions)[] = ["maxAttempts", "factor", "minTimeoutInMs", "maxTimeoutInMs", "randomize", "outOfMemory"];

/**
 * Defines a task. Workers find it when the module is loaded, exported or not; the returned object triggers it from anywhere.
 *
 * ```ts
 * export const resize = task({
 *   id: "resize",
 *   retry: { maxAttempts: 5 },
 *   run: async (payload: { url: string }, { signal }) => { … },
 * });
 * ```
 *
 * @throws Error for an option that breaks its rules, or that has no effect so far.
 */
export const task: DefineTask = (options: UncheckedHooks<TaskOptions<string, unknown>>) => defineTask(options);

/** Options whose hooks are functions of whatever they want; the types that users see have checked them. */
type UncheckedHooks<TOptions> = Omit<TOptions, HookKind | "handleError"> & { readonly [kind in HookKind | "handleError"]?: unknown };

/** Defines a task, whose payload a schema may check. @throws as {@link task}. */
export function defineTask<TIdentifier extends string, TInput, TOutput>(
  options: UncheckedHooks<TaskOptions<TIdentifier, TInput, TOutput>>,
  schema?: Required<Pick<RegisteredTask, "parsePayload" | "schema">>,
): Task<TIdentifier, TInput, TOutput> {
  const { id, description, jsonSchema } = options;
  taskRegistry().tasks.push({ ...registeredTask(options as UncheckedHooks<TaskOptions<string, unknown>>), ...schema });
  const parse = schema?.parsePayload;
  // A schema that throws at once, or later: both reject the trigger.
  const check: PayloadCheck | undefined = parse && (async (payload) => parse(payload));
  const made: Task<TIdentifier, TInput, TOutput> = {
    id,
    description,
    jsonSchema,
    trigger: (payload, triggerOptions) => triggerRun(id, payload, triggerOptions, check),
    batchTrigger: (items, batchOptions) => batchTriggerRuns(id, items, batchOptions, check),
    triggerAndWait: (payload, triggerOptions) => triggerRunAndWait(id, payload, triggerOptions, check),
    triggerAndSubscribe: (payload, subscribeOptions) => triggerRunAndSubscribe(id, payload, subscribeOptions, check),
    batchTriggerAndWait: (items, batchOptions) => batchTriggerRunsAndWait(id, items, batchOptions, check),
  };
  return Object.defineProperty(made, taskTag, { value: true });
}

function registeredTask(options: UncheckedHooks<TaskOptions<string, unknown>>): RegisteredTask {
  const { id, description, retry, run } = options;
  const where = `task ${JSON.stringify(id)}`;
  check(isName(id), `${where}: an id ${nameRule}`);
  check(typeof run === "function", `${where}: run must be a function`);
  check(description === undefined || description.length <= 1_000, `${where}: a description has at most 1,000 characters`);
  refuseUnsupported(where, options, supportedOptions);
  refuseUnsupported(`${where}: retry`, retry, supportedRetryOptions);
  const attempts = retry?.maxAttempts;
  check(
    attempts === undefined || (Number.isInteger(attempts) && attempts >= 1 && attempts <= 250),
    `${where}: retry.maxAttempts must be a whole number from 1 to 250`,
  );
  const { jsonSchema, onWorkerLoss } = options;
  check(onWorkerLoss === undefined || onWorkerLoss === "resume" || onWorkerLoss === "restart", `${where}: onWorkerLoss is "resume" or "restart"`);
  const fits = jsonSchema === undefined || Buffer.byteLength(JSON.stringify(jsonSchema)) <= maxJsonSchemaLength;
  check(fits, `${where}: jsonSchema has at most ${maxJsonSchemaLength} bytes as JSON`);
  const hooks = hooksAmong(options, where);
  const larger = retry?.outOfMemory?.machine;
  if (larger !== undefined) presetOf(`${where}: retry.outOfMemory.machine`, larger);
  return {
    id,
    description,
    run,
    jsonSchema,
    hooks,
    retry,
    queue: queueOf(where, id, options.queue),
    machine: options.machine === undefined ? undefined : presetOf(`${where}: machine`, options.machine),
    maxDuration: options.maxDuration === undefined ? undefined : maxDurationSeconds(where, options.maxDuration),
    concurrency: options.concurrency === undefined ? undefined : declaredConcurrency(where, options.concurrency),
    ...(onWorkerLoss === "restart" ? { restartOnWorkerLoss: true } : {}),
    ttl: options.ttl === undefined ? undefined : secondsOption(`${where}: ttl`, options.ttl),
  };
}

/** The queue's name and limit travel with the task. What else is said of it is declared as `queue` would; what `queue` has made is declared already. */
function queueOf(where: string, taskId: string, queue: string | TaskQueueOptions | undefined): RegisteredTask["queue"] {
  if (queue === undefined) return undefined;
  if (typeof queue === "string") return { name: declaredQueue(`${where}: queue`, { name: queue }).name };
  if (isQueue(queue)) return { name: queue.name };
  const declared = declaredQueue(`${where}: queue`, { ...queue, name: queue.name ?? `task/${taskId}` });
  const { totalLimit, rateLimit, keyRateLimit, concurrencyLimit } = declared;
  if (totalLimit !== undefined || rateLimit || keyRateLimit) taskRegistry().queues.push(declared);
  return { name: queue.name, concurrencyLimit };
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule);
}
