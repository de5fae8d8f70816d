import { task } from "@trigger.dev/sdk";

export const syncAccount = task({
  id: "sync-account",
  queue: { name: "accounts", concurrencyLimit: 1 },
  run: async (payload: { account: string }, { signal }) => {
    signal.throwIfAborted();
    return `${payload.account} is in sync`;
  },
});
