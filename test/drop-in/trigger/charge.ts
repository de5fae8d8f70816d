import { AbortTaskRunError, task } from "@trigger.dev/sdk";

export const charge = task({
  id: "charge",
  retry: { maxAttempts: 4, factor: 1.8, minTimeoutInMs: 5, maxTimeoutInMs: 20, randomize: false },
  run: async (payload: { card: string; failures: number }, { ctx }) => {
    if (payload.card === "expired") throw new AbortTaskRunError("The card has expired");
    if (ctx.attempt.number <= payload.failures) throw new Error(`The bank is busy (${ctx.attempt.number})`);
    return { charged: true, attempts: ctx.attempt.number };
  },
});
