import type { TaskDeclaration } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { createFlow, type Flow } from "./flow.js";
import { IdempotencyKeys } from "./idempotency-keys.js";
import type { LimitRecord } from "./limit-record.js";
import { type Machine, machines } from "./machine.js";
import type { PayloadRecord } from "./payload-record.js";
import type { QueueRecord } from "./queue-record.js";
import type { RunRecord } from "./run-record.js";
import { createVersions, type Versions } from "./version-record.js";
import { createWaitTokens, type WaitTokens } from "./wait-token.js";

/** An environment: its own tasks, queues, runs and workers. */
export interface Environment {
  readonly name: string;
  /** Part of its run ids. */
  readonly tag: string;
  readonly tasks: Map<string, TaskRecord>;
  readonly queues: Map<string, QueueRecord>;
  readonly flow: Flow;
  readonly versions: Versions;
  /** Payloads that the store keeps, by reference. */
  readonly payloads: Map<string, PayloadRecord>;
  readonly keys: IdempotencyKeys;
  /** Delayed runs that collect triggers, by {@link debounceKeyOf}. */
  readonly debounces: Map<string, RunRecord>;
  /** What runs wait for until somebody completes it. */
  readonly tokens: WaitTokens;
}

/** An environment in which nothing has happened. */
export function createEnvironment(name: string, tag: string): Environment {
  return {
    name,
    tag,
    tasks: new Map(),
    queues: new Map(),
    flow: createFlow(),
    versions: createVersions(),
    payloads: new Map(),
    keys: new IdempotencyKeys(),
    debounces: new Map(),
    tokens: createWaitTokens(),
  };
}

/** A debounce key among those of all tasks. */
export function debounceKeyOf(taskId: string, key: string): string {
  return `${taskId}\n${key}`;
}

/** A task that some worker has declared. */
export interface TaskRecord {
  readonly declaration: TaskDeclaration;
  readonly version: string;
  /** Limits that its runs hold unless their trigger names others: its own, and those that it names. Undefined: none. */
  readonly limits: readonly LimitRecord[] | undefined;
}

/** The queue of a declared task, or of one that nobody has declared: every task has one of its own unless it says otherwise. */
export function queueNameOf(taskId: string, task: TaskRecord | undefined): string {
  return task?.declaration.queue || `task/${taskId}`;
}

/** Attempts in total of a run whose task does not say. */
const defaultMaxAttempts = 3;

/** Attempts in total of a run whose trigger does not say. */
export function maxAttemptsOf(task: TaskRecord | undefined): number {
  return task?.declaration.maxAttempts ?? defaultMaxAttempts;
}

/** Machine of a run whose trigger does not say; undefined for none. */
export function machineOf(task: TaskRecord | undefined): Machine | undefined {
  return task?.declaration.machine ? machines.get(task.declaration.machine) : undefined;
}

/** Seconds that an attempt may be active, of a run whose trigger does not say; 0 for no limit. */
export function maxDurationOf(task: TaskRecord | undefined): number {
  return task?.declaration.maxDurationSeconds ?? 0;
}

/** Seconds that a run may be in its queue before it starts, if its trigger does not say; 0 for no limit. */
export function ttlOf(task: TaskRecord | undefined): number {
  return task?.declaration.ttlSeconds ?? 0;
}
