/** One listener nearly always; several streams may watch the same run. */
type Listeners<L> = L | L[];

/**
 * Who awaits which run: what a scheduler must ask the owner for again when the owner changes, or when word of a run may have been lost.
 *
 * Runs enter `young` and move to `old` at each {@link age}: those in `old` have been open for at least one period. With two generations no run needs a time
 * stamp or a timer of its own.
 */
export class OpenRuns<L extends object> {
  #young = new Map<string, Listeners<L>>();
  #old = new Map<string, Listeners<L>>();
  #cursor: Iterator<string> | undefined;

  /** Number of runs. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Adds a listener. False if it was there already. */
  add(runId: string, listener: L): boolean {
    const generation = this.#old.has(runId) ? this.#old : this.#young;
    const present = generation.get(runId);
    if (present === undefined) generation.set(runId, listener);
    else if (present === listener) return false;
    else if (!Array.isArray(present)) generation.set(runId, [present, listener]);
    else if (present.includes(listener)) return false;
    else present.push(listener);
    return true;
  }

  /** The listeners of a run, as they are kept: for the hot path. */
  get(runId: string): Listeners<L> | undefined {
    return this.#young.get(runId) ?? this.#old.get(runId);
  }

  /** The listeners of a run, as a list of one's own. */
  all(runId: string): L[] {
    const present = this.get(runId);
    if (present === undefined) return [];
    return Array.isArray(present) ? [...present] : [present];
  }

  /** Whether this listener awaits the run. */
  has(runId: string, listener: L): boolean {
    const present = this.get(runId);
    return present === listener || (Array.isArray(present) && present.includes(listener));
  }

  /** Forgets a run. */
  delete(runId: string): void {
    if (!this.#young.delete(runId)) this.#old.delete(runId);
  }

  /** Forgets one listener of a run. True if that was the last: nobody wants the run any more. */
  remove(runId: string, listener: L): boolean {
    const present = this.get(runId);
    if (present === undefined) return false;
    if (!Array.isArray(present)) {
      if (present !== listener) return false;
    } else {
      const index = present.indexOf(listener);
      if (index < 0) return false;
      present.splice(index, 1);
      if (present.length > 0) return false;
    }
    this.delete(runId);
    return true;
  }

  /** Forgets a listener everywhere. Returns the runs that nobody wants any more. Walks all runs: for the end of a stream. */
  removeAll(listener: L): string[] {
    return this.ids().filter((runId) => this.remove(runId, listener));
  }

  /** All runs. */
  ids(): string[] {
    return [...this.#old.keys(), ...this.#young.keys()];
  }

  /** Lets a period pass: what was young is old. */
  age(): void {
    if (this.#old.size === 0) {
      [this.#young, this.#old] = [this.#old, this.#young];
      this.#cursor = undefined;
      return;
    }
    for (const [runId, listeners] of this.#young) this.#old.set(runId, listeners);
    this.#young.clear();
  }

  /** The next `most` old runs; over several calls all of them in turn. A call that reaches the end returns what was left, and the next one starts again. */
  nextOld(most: number): string[] {
    this.#cursor ??= this.#old.keys();
    const ids: string[] = [];
    while (ids.length < most) {
      const next = this.#cursor.next();
      if (next.done) {
        this.#cursor = undefined;
        break;
      }
      ids.push(next.value);
    }
    return ids;
  }
}
