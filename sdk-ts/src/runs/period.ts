const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, hr: 3_600_000, d: 86_400_000, w: 604_800_000 };
const form = /^(?:\d+(?:s|m|hr|h|d|w))+$/;

/** Milliseconds of a span of time as Trigger.dev writes it: "30m", "7d", "1h30m". @throws Error if it is none. */
export function periodMs(text: string): number {
  if (!form.test(text)) throw new Error(`"${text}" is not a period: numbers with s, m, h, d or w, for instance "30m" or "7d"`);
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(s|m|hr|h|d|w)/g)) ms += Number(count) * (unitMs[unit as string] as number);
  return ms;
}
