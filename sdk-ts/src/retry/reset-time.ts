/**
 * How a header tells when a limit is reset.
 *
 * - `unix_timestamp`: seconds of the Unix epoch.
 * - `unix_timestamp_in_ms`: milliseconds of the Unix epoch; the default.
 * - `iso_8601`: a date, "2026-11-23T10:00:00Z".
 * - `iso_8601_duration_openai_variant`: how long from now, "1d2h3m4.5s", "350ms".
 */
export type ResetFormat = "unix_timestamp" | "unix_timestamp_in_ms" | "iso_8601" | "iso_8601_duration_openai_variant";

const duration = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/;

/** When a limit is reset, in milliseconds of the Unix epoch; undefined if the text is not of the format. */
export function resetTime(text: string, format: ResetFormat, now: number): number | undefined {
  const time = parse(text.trim(), format, now);
  return Number.isFinite(time) ? time : undefined;
}

function parse(text: string, format: ResetFormat, now: number): number {
  switch (format) {
    case "unix_timestamp":
      return Number.parseInt(text, 10) * 1_000;
    case "unix_timestamp_in_ms":
      return Number.parseInt(text, 10);
    case "iso_8601":
      return Date.parse(text);
    case "iso_8601_duration_openai_variant": {
      const parts = text === "" ? null : duration.exec(text);
      if (!parts) return Number.NaN;
      const [days, hours, minutes, seconds, milliseconds] = parts.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number, number];
      return now + Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000) + milliseconds;
    }
  }
}
