import { type Duration, durationFromMs, type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";

const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, hr: 3_600_000, d: 86_400_000, w: 604_800_000 };
const form = /^(?:\d+(?:s|m|hr|h|d|w))+$/;
/** No period that means something is written in more characters. */
const longestText = 100;

/** Milliseconds of a span of time as Trigger.dev writes it: "30m", "7d", "1h30m". @throws Error if it is none. */
export function periodMs(text: string): number {
  const ms = parsedPeriodMs(text);
  if (ms === undefined) throw new Error(`"${text}" is not a period: numbers with s, m, h, d or w, for instance "30m" or "7d"`);
  return ms;
}

/** A span of time as contracts have it. @throws Error if it is none. `where` begins its message. */
export function periodOption(where: string, text: string): Duration {
  const ms = typeof text === "string" ? parsedPeriodMs(text) : undefined;
  if (ms === undefined) throw new Error(`${where} is ${JSON.stringify(text)}, and must be numbers with s, m, h, d or w, for instance "30m" or "1h30m"`);
  return durationFromMs(ms);
}

/** Whole seconds: a number of them, or a span of time. @throws Error for what is neither. `where` begins its message. */
export function secondsOption(where: string, value: string | number): number {
  if (typeof value === "string") return Number(periodOption(where, value).seconds);
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new Error(`${where} is ${value}, and must be whole seconds, or a text like "10m"`);
  return value;
}

/** Seconds as a span of time, in the units that it takes: 5400 is "1h30m". */
export function periodText(seconds: number): string {
  let rest = seconds;
  let text = "";
  for (const unit of ["d", "h", "m", "s"] as const) {
    const count = Math.floor((rest * 1_000) / unitMs[unit]!);
    rest -= (count * unitMs[unit]!) / 1_000;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0s" : text;
}

/** When a run enters its queue, as contracts have it. */
export type WireDelay = { case: "delayFor"; value: Duration } | { case: "delayUntil"; value: Timestamp };

/**
 * A delay: a span of time, which counts on the server's clock, or a time as a Date or in ISO 8601.
 *
 * @throws Error for what is none of these. `where` begins its message.
 */
export function delayOption(where: string, delay: string | Date): WireDelay {
  const ms = typeof delay === "string" ? parsedPeriodMs(delay) : undefined;
  if (ms !== undefined) return { case: "delayFor", value: durationFromMs(ms) };
  const date = new Date(delay);
  if (Number.isNaN(date.getTime())) throw new Error(`${where} is ${String(delay)}, and must be a text like "1h30m", a Date, or a time in ISO 8601`);
  return { case: "delayUntil", value: timestampFromDate(date) };
}

function parsedPeriodMs(text: string): number | undefined {
  if (text.length > longestText || !form.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(s|m|hr|h|d|w)/g)) ms += Number(count) * (unitMs[unit as string] as number);
  return Number.isSafeInteger(ms) ? ms : undefined;
}
