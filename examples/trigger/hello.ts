import { logger, task } from "@runlane/sdk";

/** The smallest task: greets somebody. */
export const hello = task({
  id: "hello",
  run: async ({ name = "World" }: { name?: string }) => {
    logger.info("Greeting", { name });
    return `Hello, ${name}!`;
  },
});
