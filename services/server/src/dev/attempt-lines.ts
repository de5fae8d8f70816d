import { styleText } from "node:util";
import type { AttemptReport } from "@runlane/sdk/worker";

/** Lines of an error's message, and of its stack, that are shown. */
const mostMessageLines = 4;
const mostStackLines = 4;

/** How attempts are shown. */
export interface AttemptView {
  /** Paths below it are shown relative to it. */
  readonly folder: string;
  /** Colours are understood. */
  readonly colors: boolean;
  /** The version that executes the attempt, if it is not the present one. */
  readonly oldVersion?: string | undefined;
}

type Style = Parameters<typeof styleText>[0];

/** What happened to an attempt, on one line; below a failure the first lines of its error. `at` is when. */
export function attemptLines(report: AttemptReport, at: Date, { folder, colors, oldVersion }: AttemptView): string {
  const paint = (style: Style, text: string) => (colors ? styleText(style, text) : text);
  const attempt = report.attempt > 1 && report.event !== "failed" ? `attempt ${report.attempt} of ${report.maxAttempts}` : "";
  const version = oldVersion === undefined ? "" : `version ${oldVersion}`;
  const asides = [attempt, version].filter(Boolean).join(", ");
  const [style, words] = eventWords(report);
  const line = [paint("dim", clockTime(at)), paint(style, words), paint("bold", report.taskId), paint("dim", report.runId)];
  if (report.event !== "started") line.push(duration(report.durationMs));
  if (report.event === "failed") line.push(retryWords(report));
  if (asides !== "") line.push(paint("dim", `(${asides})`));
  return [line.join(" "), ...failureLines(report, folder)].join("\n");
}

/** A time of day, to the second. */
export function clockTime(at: Date): string {
  return at.toTimeString().slice(0, 8);
}

function eventWords({ event, retryInMs }: AttemptReport): [Style, string] {
  switch (event) {
    case "started":
      return ["dim", "started  "];
    case "completed":
      return ["green", "completed"];
    case "failed":
      return [retryInMs === undefined ? "red" : "yellow", "failed   "];
    case "canceled":
      return ["yellow", "canceled "];
    case "released":
      return ["yellow", "given back"];
    case "lost":
      return ["yellow", "taken away"];
  }
}

/** An attempt that was not the last one may ask for another, and whether there is one is for the server to say: by the number of attempts that it has named. */
function retryWords({ attempt, maxAttempts, retryInMs }: AttemptReport): string {
  const which = `attempt ${attempt} of ${maxAttempts}`;
  if (retryInMs === undefined || attempt >= maxAttempts) return `${which}, the last`;
  return retryInMs === 0 ? `${which}, the next at once` : `${which}, the next in ${duration(retryInMs)}`;
}

function failureLines({ failure }: AttemptReport, folder: string): string[] {
  if (failure === undefined) return [];
  const { name, message, stackTrace } = failure;
  const words = [name, message].filter(Boolean).join(": ") || "no error was given";
  const frames = stackTrace.split("\n").filter((line) => /^\s*at /.test(line));
  // What the user wrote is what the user can change.
  const own = frames.filter((line) => !/\(?node:|[/\\]node_modules[/\\]/.test(line));
  const shown = (own.length > 0 ? own : frames).slice(0, mostStackLines);
  const short = (line: string) => line.trim().replaceAll("file://", "").replaceAll(`${folder}/`, "");
  return [
    ...words
      .split("\n")
      .slice(0, mostMessageLines)
      .map((line) => `         ${line}`),
    ...shown.map((line) => `           ${short(line)}`),
  ];
}

function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}
