import type { AnyTask, Context, RunHandle, TaskOutput, TaskPayload } from "@trigger.dev/sdk";
import { ApiError, AuthenticationError, BatchTriggerError, RateLimitError, SubtaskUnwrapError, tasks } from "@trigger.dev/sdk";
import type { greet } from "../trigger/greet";

type Greeting = TaskOutput<typeof greet>;
type Somebody = TaskPayload<typeof greet>;

/** Says in words why something could not be triggered, or failed. */
export function explain(error: unknown): string {
  if (error instanceof AuthenticationError) return "the key is wrong";
  if (error instanceof RateLimitError) return "too fast";
  if (error instanceof ApiError) return `the server answered ${error.status}`;
  if (error instanceof BatchTriggerError) return `the batch failed: ${error.message}`;
  if (error instanceof SubtaskUnwrapError) return `run ${error.runId} of ${error.taskId} failed`;
  return String(error);
}

/** Greets several people. */
export async function greetAll(people: Somebody[]): Promise<number> {
  const batch = await tasks.batchTrigger<typeof greet>(
    "greet",
    people.map((payload) => ({ payload, options: { maxAttempts: 2 } })),
  );
  return batch.runCount;
}

export const textOf = (greeting: Greeting): string => greeting.text;
export const idOf = (handle: RunHandle<string, Somebody, Greeting>): string => handle.id;
export const nameOf = (task: AnyTask): string => task.id;
export const attemptOf = (ctx: Context): number => ctx.attempt.number;
