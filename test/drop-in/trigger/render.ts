import { task, timeout } from "@trigger.dev/sdk";

export const render = task({
  id: "render",
  machine: "medium-1x",
  maxDuration: 300,
  retry: { maxAttempts: 2, outOfMemory: { machine: "large-1x" } },
  run: async (payload: { frames: number }, { ctx }) => ({ frames: payload.frames, machine: ctx.machine?.name }),
});

export const archive = task({
  id: "archive",
  machine: { preset: "small-2x" },
  maxDuration: timeout.None,
  run: async () => "archived",
});
