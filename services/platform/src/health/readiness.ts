/**
 * Whether this process should be sent work: a set of named conditions, such as "nats", "owner" or "draining", of which each has a reason while it does not hold. Ready means that all of
 * them hold; a process without conditions is ready.
 *
 * It is rendered by `/readyz` and by gRPC health. Alive is something else: a process that answers at all is alive.
 */
export class Readiness {
  /** Reasons of the conditions; `undefined` for those that hold. */
  readonly #conditions = new Map<string, string | undefined>();
  readonly #listeners = new Set<(ready: boolean) => void>();

  /**
   * States whether a condition holds. The first call for a name adds the condition.
   *
   * @param reason why not, for people; default "not ready". Ignored if the condition holds
   */
  set(name: string, ready: boolean, reason = "not ready"): void {
    const before = this.ready();
    this.#conditions.set(name, ready ? undefined : reason);
    const after = this.ready();
    if (before === after) return;
    for (const listener of [...this.#listeners]) listener(after);
  }

  /** Whether all conditions hold. */
  ready(): boolean {
    for (const reason of this.#conditions.values()) if (reason !== undefined) return false;
    return true;
  }

  /** Why this process is not ready, one `name: reason` for each condition that does not hold; empty if it is ready. */
  reasons(): string[] {
    return [...this.#conditions].filter(([, reason]) => reason !== undefined).map(([name, reason]) => `${name}: ${reason}`);
  }

  /** Calls `listener` whenever readiness as a whole changes; returns how to stop it. */
  onChange(listener: (ready: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
