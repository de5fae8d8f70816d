/** A system that runs tasks, as far as workloads need it. Each is used as its users use it; see bench/README.md for the settings. */
export interface TaskSystem {
  /** Triggers the task that does nothing. Resolves when the system has acknowledged it. */
  trigger(order: number): Promise<void>;
  /** Triggers `count` of them, from `first` on, in one call. Resolves when all are acknowledged. */
  batchTrigger(first: number, count: number): Promise<void>;
  /** Triggers one and waits for its result, which must be the right one. */
  complete(order: number): Promise<void>;
  /** Triggers the task that tells when its code began. Resolves when it is acknowledged; `startedMs` finds out, once the run is over. */
  stamp(order: number): Promise<{ startedMs(): Promise<number> }>;
}
