import { longHaul } from "../tasks/long-haul.js";

/** Triggers a task that takes a minute and writes into `diary` when it starts. */
export async function triggerLongHaul(diary: string): Promise<void> {
  await longHaul.trigger({ diary });
}
