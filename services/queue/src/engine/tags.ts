/** Tags that a run may have. */
const most = 10;

/** What tags a run has after these were added: blank ones and repetitions are left out, and what would be more than 10. */
export function newTags(before: readonly string[], added: readonly string[]): string[] {
  const tags = new Set(before);
  for (const tag of added) if (tag.trim() !== "" && tags.size < most) tags.add(tag);
  return [...tags];
}
