import { existsSync, readFileSync } from "node:fs";

/** A line that a task wrote when it started or ended, or heard that it must stop. */
export interface DiaryEntry {
  event: "start" | "end" | "stop";
  runId: string;
  attempt: number;
}

/** Reads what tasks wrote into a file, in the order of writing. Tests judge by this, and not by what the server says. */
export function readDiary(path: string): DiaryEntry[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => {
    const [event, runId = "", attempt] = line.split(" ");
    return { event: event as DiaryEntry["event"], runId, attempt: Number(attempt) };
  });
}

/** The most runs that were between start and end at once. */
export function mostAtOnce(diary: DiaryEntry[]): number {
  let now = 0;
  let most = 0;
  for (const { event } of diary) {
    if (event === "stop") continue;
    now += event === "start" ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}
