import { logger, task } from "@trigger.dev/sdk";

/** Not exported, and used all the same. */
const shout = task({
  id: "shout",
  run: async (payload: { text: string }) => payload.text.toUpperCase(),
});

export const greet = task({
  id: "greet",
  description: "Greets somebody, loudly if asked to",
  run: async (payload: { name: string; loud?: boolean }, { ctx }) => {
    logger.info("Greeting", { name: payload.name, runId: ctx.run.id });
    const text = `Hello, ${payload.name}`;
    return { text: payload.loud ? await shout.triggerAndWait({ text }).unwrap() : text, attempt: ctx.attempt.number, task: ctx.task.id };
  },
});
