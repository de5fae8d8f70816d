/** A trigger that was acknowledged, as its client wrote it down when the answer had come. */
export interface Acknowledgement {
  /** What the client calls the trigger. */
  payloadId: string;
  /** What the server calls the run. */
  runId: string;
  /** When the trigger was made, in milliseconds of the Unix epoch. */
  triggeredAt: number;
  /** When its acknowledgement came. */
  acknowledgedAt: number;
}

/** What code of an attempt wrote down: that it starts, goes on, or ends. */
export interface Entry {
  event: "start" | "beat" | "end";
  runId: string;
  attempt: number;
  taskId: string;
  payloadId: string;
  /** Process that the code runs in. */
  pid: number;
  /** In milliseconds of the Unix epoch. */
  at: number;
}

/** Reads a line of a file of acknowledgements. */
export function acknowledgementOf(line: string): Acknowledgement {
  const [payloadId = "", runId = "", triggeredAt, acknowledgedAt] = line.split(" ");
  return { payloadId, runId, triggeredAt: Number(triggeredAt), acknowledgedAt: Number(acknowledgedAt) };
}

/** Reads a line that `record` in test/fixtures/survival wrote. */
export function entryOf(line: string): Entry {
  const [event, runId = "", attempt, taskId = "", payloadId = "", pid, at] = line.split(" ");
  return { event: event as Entry["event"], runId, attempt: Number(attempt), taskId, payloadId, pid: Number(pid), at: Number(at) };
}

/** The most attempts of which code ran at once. Entries stand in the order of time; code that was killed ended after its last entry. */
export function mostAtOnce(entries: readonly Entry[]): number {
  const last = new Map<string, Entry>();
  for (const entry of entries) last.set(attemptOf(entry), entry);
  let now = 0;
  let most = 0;
  for (const entry of entries) {
    if (entry.event === "start") now += 1;
    most = Math.max(most, now);
    if (last.get(attemptOf(entry)) === entry) now -= 1;
  }
  return most;
}

function attemptOf({ runId, attempt, pid }: Entry): string {
  return `${runId} ${attempt} ${pid}`;
}
