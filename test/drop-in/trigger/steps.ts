import { logger, task } from "@trigger.dev/sdk";

export const withHooks = task({
  id: "with-hooks",
  retry: { maxAttempts: 2, minTimeoutInMs: 5 },
  run: async (payload: { failures: number }, { ctx, init }) => {
    init?.steps.push("run");
    if (ctx.attempt.number <= payload.failures) throw new RangeError("as asked");
    return { steps: init?.steps ?? [] };
  },
  init: async ({ ctx }) => ({ steps: [`init ${ctx.attempt.number}`] }),
  onStart: async ({ payload, ctx, init }) => {
    init?.steps.push(`start ${ctx.attempt.number}, to fail ${payload.failures} times`);
  },
  onStartAttempt: async ({ ctx }) => {
    logger.debug("An attempt starts", { number: ctx.attempt.number });
  },
  onSuccess: async ({ output, ctx }) => {
    logger.info("Succeeded", { runId: ctx.run.id, steps: output.steps.length });
  },
  onFailure: async ({ error, task }) => {
    logger.error("Failed", { task, error: String(error) });
  },
  onComplete: async ({ result }) => {
    logger.info(result.ok ? "Complete" : "Complete, failed");
  },
  onCancel: async ({ runPromise, signal }) => {
    logger.warn("Cancelled", { aborted: signal.aborted });
    await runPromise;
  },
  cleanup: async ({ ctx }) => {
    logger.debug("Cleaned up", { attempt: ctx.attempt.number });
  },
});
