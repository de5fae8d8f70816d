import { task, tasks } from "@trigger.dev/sdk";
import { charge } from "./charge";
import type { greet } from "./greet";

export const welcomeAll = task({
  id: "welcome-all",
  run: async ({ names }: { names: string[] }) => {
    const first = await charge.triggerAndWait({ card: "valid", failures: 0 });
    if (!first.ok) throw first.error;
    const failed = await charge.triggerAndWait({ card: "expired", failures: 0 });

    const { runs } = await tasks.batchTriggerAndWait<typeof greet>(
      "greet",
      names.map((name) => ({ payload: { name } })),
    );
    const greetings: string[] = [];
    for (const run of runs) {
      if (run.ok) greetings.push(run.output.text);
      else console.error(run.id, run.error);
    }
    return { attempts: first.output.attempts, failed: failed.ok ? undefined : String(failed.error), greetings };
  },
});
