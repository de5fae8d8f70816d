import { logger, task } from "@runlane/sdk";

/** Stands for a call to a service that has a bad moment: fails twice and succeeds on its third attempt. */
export const flaky = task({
  id: "flaky",
  retry: { maxAttempts: 3, factor: 2, minTimeoutInMs: 200, maxTimeoutInMs: 1_000, randomize: false },
  run: async (payload: { answer: number }, { ctx }) => {
    const attempt = ctx.attempt.number;
    if (attempt < 3) throw new Error(`The service is busy (attempt ${attempt})`);
    logger.info("The service answered", { attempt });
    return { answer: payload.answer, attempts: attempt };
  },
});
