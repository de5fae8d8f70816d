/** Tags of a run, at most. As in Trigger.dev. */
export const maxTags = 10;
/** Characters of a tag, at most. As in Trigger.dev. */
const maxTagLength = 128;

/**
 * Tags as they were given: one, or several; without blank ones, each once.
 *
 * @throws Error for a tag of more than 128 characters; TypeError for what is no text. `where` begins its message.
 */
export function tagList(where: string, given: string | readonly string[]): string[] {
  const tags = new Set<string>();
  for (const tag of typeof given === "string" ? [given] : given) {
    if (typeof tag !== "string") throw new TypeError(`${where}: a tag is a string, not ${typeof tag}`);
    if (tag.length > maxTagLength) throw new Error(`${where}: a tag has at most ${maxTagLength} characters, and "${tag.slice(0, 20)}…" has ${tag.length}`);
    if (tag.trim() !== "") tags.add(tag);
  }
  return [...tags];
}
