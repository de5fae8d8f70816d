/** What a run knows of itself: `ctx`, as Trigger.dev v4 names it, as far as the fields have a meaning so far. Frozen at the start of the attempt. */
export interface TaskRunContext {
  readonly attempt: {
    /** Counts from 1. */
    readonly number: number;
    readonly startedAt: Date;
  };
  readonly run: {
    readonly id: string;
    readonly tags: readonly string[];
    readonly isTest: boolean;
    readonly createdAt: Date;
    readonly startedAt: Date;
    readonly maxAttempts: number;
    /** Version of the code, for instance "20261123.1". */
    readonly version?: string | undefined;
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
}
