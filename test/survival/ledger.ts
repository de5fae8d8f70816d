import { type Acknowledgement, type Entry, mostAtOnce } from "./lines.js";

const manyMeans = 5;

/**
 * Judges by what clients and tasks wrote down, and never by what the server says: every acknowledged run has completed, and no run and no trigger has been executed twice. It is meant for
 * workers that live all the time, whatever happens to the server.
 */
export class Ledger {
  readonly acknowledgements: Acknowledgement[] = [];
  readonly entries: Entry[] = [];
  readonly #ended = new Set<string>();
  /** Acknowledged runs that have not ended. */
  readonly #open = new Set<string>();

  /** Acknowledged runs whose code has not ended so far. */
  get openRuns(): number {
    return this.#open.size;
  }

  /** Runs whose code has ended. */
  get endedRuns(): number {
    return this.#ended.size;
  }

  /** Takes down what a client wrote. */
  acknowledged(acknowledgement: Acknowledgement): void {
    this.acknowledgements.push(acknowledgement);
    if (!this.#ended.has(acknowledgement.runId)) this.#open.add(acknowledgement.runId);
  }

  /** Takes down what a task wrote. */
  executed(entry: Entry): void {
    this.entries.push(entry);
    if (entry.event !== "end") return;
    this.#ended.add(entry.runId);
    this.#open.delete(entry.runId);
  }

  /**
   * Everything that should not have happened, as sentences; empty if all is well. To be asked when nothing runs any more.
   *
   * @param limits tasks of which so many may run at once
   */
  complaints(limits: Readonly<Record<string, number>> = {}): string[] {
    return [...this.#lost(), ...this.#doubleExecutions(), ...this.#doubleRuns(), ...this.#exceeded(limits)];
  }

  #lost(): string[] {
    const started = new Set(this.entries.map((entry) => entry.runId));
    const lost = this.acknowledgements
      .filter(({ runId }) => this.#open.has(runId))
      .map(
        ({ runId, payloadId }) => `run ${runId} of ${payloadId} was acknowledged, and ${started.has(runId) ? "has started and not ended" : "never started"}`,
      );
    const acknowledged = new Set(this.acknowledgements.map(({ runId }) => runId));
    const unended = this.entries
      .filter((entry) => entry.event === "start" && !this.#ended.has(entry.runId) && !acknowledged.has(entry.runId))
      .map(({ runId, payloadId }) => `run ${runId} of ${payloadId}, which nobody acknowledged, has started and not ended`);
    return [...few(lost), ...few(unended)];
  }

  #doubleExecutions(): string[] {
    const complaints: string[] = [];
    for (const event of ["start", "end"] as const) {
      const first = new Map<string, Entry>();
      for (const entry of this.entries) {
        if (entry.event !== event) continue;
        const before = first.get(entry.runId);
        if (before) complaints.push(`run ${entry.runId} of ${entry.payloadId} has two ${event}s: ${place(before)}, and ${place(entry)}`);
        else first.set(entry.runId, entry);
      }
    }
    return few(complaints);
  }

  #doubleRuns(): string[] {
    const runs = new Map<string, string>();
    const complaints = new Set<string>();
    for (const { payloadId, runId } of [...this.acknowledgements, ...this.entries]) {
      const before = runs.get(payloadId);
      if (before === undefined) runs.set(payloadId, runId);
      else if (before !== runId) complaints.add(`trigger ${payloadId} has two runs: ${before} and ${runId}`);
    }
    const triggers = new Map<string, string>();
    for (const { payloadId, runId } of [...this.acknowledgements, ...this.entries]) {
      const before = triggers.get(runId);
      if (before === undefined) triggers.set(runId, payloadId);
      else if (before !== payloadId) complaints.add(`run ${runId} belongs to two triggers: ${before} and ${payloadId}`);
    }
    return few([...complaints]);
  }

  #exceeded(limits: Readonly<Record<string, number>>): string[] {
    return Object.entries(limits).flatMap(([taskId, limit]) => {
      const most = mostAtOnce(this.entries.filter((entry) => entry.taskId === taskId));
      return most > limit ? [`${most} runs of ${taskId} were executed at once, and ${limit} are allowed`] : [];
    });
  }
}

function place({ attempt, pid, at }: Entry): string {
  return `attempt ${attempt} in process ${pid} at ${new Date(at).toISOString()}`;
}

/** The first of many sentences, and how many there are. */
function few(complaints: string[]): string[] {
  if (complaints.length <= manyMeans) return complaints;
  return [...complaints.slice(0, manyMeans), `and ${complaints.length - manyMeans} more like these`];
}
