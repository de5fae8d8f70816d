import type { TaskSystem } from "./task-system.js";

/** The system that the environment names: `BENCH_REDIS_PORT` for BullMQ, else Runlane. Loaded when it is needed, so that no client carries another's code. */
export async function systemOf(env: NodeJS.ProcessEnv): Promise<TaskSystem> {
  const port = env.BENCH_REDIS_PORT;
  if (port === undefined) return (await import("./runlane.js")).runlane;
  return (await import("./bullmq.js")).bullmq(Number(port));
}
