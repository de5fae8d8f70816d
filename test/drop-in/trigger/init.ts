import { logger, tasks } from "@trigger.dev/sdk";
import "./database";

tasks.onStart(({ ctx, task }) => {
  logger.debug("A run starts", { task, runId: ctx.run.id });
});

tasks.onFailure("report", async ({ ctx, error }) => {
  logger.error("A run has failed", { runId: ctx.run.id, error });
});
