import type { IdempotencyKeyScope } from "../idempotency/idempotency-key.js";

/** What a run knows of itself: `ctx`, as Trigger.dev v4 names it. Frozen, and the same for all hooks of an attempt. Fields without a meaning here are left out, or say so. */
export interface TaskRunContext {
  readonly attempt: {
    /** Counts from 1. */
    readonly number: number;
    readonly startedAt: Date;
  };
  readonly run: {
    readonly id: string;
    readonly tags: readonly string[];
    /** It was triggered as a test, or by a run that was. */
    readonly isTest: boolean;
    /** It repeats another run. */
    readonly isReplay: boolean;
    readonly createdAt: Date;
    readonly startedAt: Date;
    readonly maxAttempts: number;
    /** How long an attempt may be active, in seconds; waits do not count. Undefined: as long as it takes. */
    readonly maxDuration?: number | undefined;
    /** Version of the code, for instance "20261123.1". */
    readonly version?: string | undefined;
    /** Its idempotency key as its author wrote it, not the hash. */
    readonly idempotencyKey?: string | undefined;
    /** The scope of that key; undefined if it is not known. */
    readonly idempotencyKeyScope?: IdempotencyKeyScope | undefined;
    /** Seconds by which it counts as older in its queue; undefined for 0. */
    readonly priority?: number | undefined;
    /** The concurrency key that its trigger gave. Ours. */
    readonly concurrencyKey?: string | undefined;
    readonly parentTaskRunId?: string | undefined;
    readonly rootTaskRunId?: string | undefined;
  };
  readonly task: {
    readonly id: string;
    /** Relative to the project. */
    readonly filePath: string;
  };
  readonly queue: { readonly id: string; readonly name: string };
  readonly environment: { readonly id: string; readonly slug: string; readonly type: "PRODUCTION" | "STAGING" | "DEVELOPMENT" | "PREVIEW" };
  /** A server has one; id, slug and name are "default". */
  readonly organization: { readonly id: string; readonly slug: string; readonly name: string };
  /** A server has one; all of it is the config's `project`, else "default". */
  readonly project: { readonly id: string; readonly ref: string; readonly slug: string; readonly name: string };
  /** The preset that the attempt has a process of; undefined for tasks that share processes. Memory in GB; runs cost nothing here. */
  readonly machine?: { readonly name: string; readonly cpu: number; readonly memory: number; readonly centsPerMs: number } | undefined;
  /** The batch that the run belongs to. Undefined for batches that are waited for, so far. */
  readonly batch?: { readonly id: string } | undefined;
  /** The build that executes the run; undefined before the server has numbered it. */
  readonly deployment?:
    | {
        /** Content hash of the build. */
        readonly id: string;
        /** Its first eight characters. */
        readonly shortCode: string;
        /** As `run.version`. */
        readonly version: string;
        /** Always "node". */
        readonly runtime: string;
        /** For instance "22.11.0". */
        readonly runtimeVersion: string;
      }
    | undefined;
}
