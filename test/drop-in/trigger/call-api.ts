import { task } from "@trigger.dev/sdk";

class QuotaError extends Error {
  override name = "QuotaError";
  constructor(readonly resetAt: Date) {
    super("The quota is used up");
  }
}

export const callApi = task({
  id: "call-api",
  retry: { maxAttempts: 3, minTimeoutInMs: 60_000 },
  run: async (payload: { quotaErrors: number; broken?: boolean }, { ctx }) => {
    if (payload.broken) throw new TypeError("The request makes no sense");
    if (ctx.attempt.number <= payload.quotaErrors) throw new QuotaError(new Date(Date.now() + 20));
    return { attempts: ctx.attempt.number };
  },
  catchError: async ({ error, ctx, retry, retryAt }) => {
    if (error instanceof QuotaError) return { retryAt: error.resetAt };
    if (error instanceof TypeError) return { skipRetrying: true };
    console.warn(`attempt ${ctx.attempt.number} of ${retry?.maxAttempts} failed; the next one is at ${retryAt?.toISOString()}`);
    return undefined;
  },
});
