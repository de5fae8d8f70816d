/** Stands for "no limit" wherever a maxDuration is given. The number is Trigger.dev's. */
export const noMaxDuration = 2_147_483_647;
/** No limit is shorter, in seconds. As in Trigger.dev. */
const leastMaxDuration = 5;

/**
 * A maxDuration as contracts have it: whole seconds, 5 at least, 0 for none.
 *
 * @throws Error for what is no number. `where` begins its message.
 */
export function maxDurationSeconds(where: string, seconds: number): number {
  if (typeof seconds !== "number" || Number.isNaN(seconds)) throw new Error(`${where}: maxDuration is a number of seconds, or timeout.None`);
  return seconds >= noMaxDuration ? 0 : Math.max(leastMaxDuration, Math.ceil(seconds));
}
