import type { Environment } from "./environment.js";
import type { Lane } from "./lane.js";
import type { LimitRecord, LimitSlots } from "./limit-record.js";
import { phases } from "./phase.js";
import type { QueueRecord } from "./queue-record.js";
import type { RunRecord } from "./run-record.js";

/** Whatever has slots. */
type Holder = Environment | QueueRecord | Lane | LimitRecord | LimitSlots;

/** Slots counted from runs, one by one, for comparing with what is kept as a running count. */
export class SlotCount {
  readonly #held = new Map<Holder, number>();

  /** Counts the slots of a run, if its phase holds any. */
  add(run: RunRecord): void {
    if (!phases[run.phase].slot) return;
    const { environment, queue, lane, slots } = run;
    this.#count(environment);
    this.#count(queue);
    this.#count(lane);
    for (const each of slots ?? []) {
      this.#count(each);
      this.#count(each.limit);
    }
  }

  /** Says where the running counts of an environment differ. Returns how many slots they are off in all. */
  compare(environment: Environment, faults: string[]): number {
    const { flow, queues } = environment;
    let off = this.#compare(environment, flow.held, `environment ${environment.name}`, faults);
    for (const queue of queues.values()) {
      off += this.#compare(queue, queue.held, `queue ${queue.name}`, faults);
      off += this.#compare(queue.keyless, queue.keyless.held, `queue ${queue.name}, runs without a key,`, faults);
      for (const lane of queue.lanes.values()) off += this.#compare(lane, lane.held, `queue ${queue.name}, key ${lane.key},`, faults);
    }
    for (const limit of flow.limits.values()) {
      off += this.#compare(limit, limit.held, `limit ${limit.name}`, faults);
      for (const slots of limit.slots.values()) off += this.#compare(slots, slots.held, `limit ${limit.name}, key ${slots.key},`, faults);
    }
    return off;
  }

  /** Says which slots belong to something that is no more. Asked when all environments have been compared. Returns how many they are. */
  rest(faults: string[]): number {
    let rest = 0;
    for (const [holder, count] of this.#held) {
      faults.push(`runs hold ${count} slots of ${"name" in holder ? holder.name : `key ${holder.key}`}, which is no more`);
      rest += count;
    }
    return rest;
  }

  #count(holder: Holder): void {
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + 1);
  }

  #compare(holder: Holder, running: number, name: string, faults: string[]): number {
    const count = this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
    if (count !== running) faults.push(`${name} counts ${running} slots, its runs hold ${count}`);
    return Math.abs(count - running);
  }
}
