import { retry, task, usage } from "@trigger.dev/sdk";

export const download = task({
  id: "download",
  run: async (payload: { url: string }, { signal }) => {
    const response = await retry.fetch(payload.url, {
      signal,
      retry: {
        byStatus: {
          "500-599": { strategy: "backoff", maxAttempts: 4, factor: 2, minTimeoutInMs: 5, maxTimeoutInMs: 20, randomize: false },
          "429": {
            strategy: "headers",
            limitHeader: "x-ratelimit-limit",
            remainingHeader: "x-ratelimit-remaining",
            resetHeader: "x-ratelimit-reset",
            resetFormat: "unix_timestamp_in_ms",
          },
        },
        timeout: { maxAttempts: 2, minTimeoutInMs: 5 },
      },
      timeoutInMs: 10_000,
    });
    const { result, compute } = await usage.measure(() =>
      retry.onThrow(
        async ({ attempt }) => {
          if (attempt < 2) throw new Error("the body is not ready");
          return await response.text();
        },
        { maxAttempts: 3, minTimeoutInMs: 5 },
      ),
    );
    return { status: response.status, body: result, measured: compute.durationMs >= 0 };
  },
});
