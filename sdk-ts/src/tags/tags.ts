import { logger } from "../logger.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { maxTags, tagList } from "./tag-list.js";

/** Tags of the run that calls. Whoever triggers a run gives it its first ones, by the option `tags`. */
export const tags = {
  /**
   * Adds one tag or several, 1 to 128 characters each; resolves when the server has them. `ctx.run.tags` stays as it was at the start of the attempt. A run has 10 tags at most: those
   * beyond are left out, and an error is logged, as in Trigger.dev.
   *
   * @throws Error outside a run, or for a tag that is too long
   */
  async add(given: string | readonly string[]): Promise<void> {
    const runtime = currentRunRuntime();
    if (runtime === undefined) throw new Error("tags.add can only be used inside a run; whoever triggers a run gives it tags by the option `tags`");
    const added = tagList("tags.add", given);
    if (added.length === 0) return;
    const leftOut = await runtime.updates.addTags(added);
    if (leftOut.length > 0) logger.error(`a run has at most ${maxTags} tags: left out ${leftOut.join(", ")}`);
  },
};
