import type { Logger, Metrics } from "@runlane/platform";
import { auditSlots, type SlotFinding } from "../engine/audit-slots.js";
import type { Durable } from "../engine/durable.js";
import type { Clock } from "./clock.js";

/** How often slots are counted again, in milliseconds. */
export const auditEveryMs = 5_000;

/** Lines of what differs that are logged. */
const mostFaults = 10;

/** What an audit stands on. */
export interface SlotAuditOptions {
  readonly partition: number;
  readonly durable: Durable;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Counts the slots of a partition again, every 5 s while it is served, and tells by how many the counts that runs are started by are off. They are derived from one table and cannot differ;
 * if a defect makes them, it is seen at once, and not when a queue stands still. Changes nothing.
 */
export class SlotAudit {
  readonly #options: SlotAuditOptions;
  readonly #withdraw: (() => void)[];
  #finding: SlotFinding;
  #audits = 0;
  #cancel: () => void = () => {};

  /** Begins at once. */
  constructor(options: SlotAuditOptions) {
    this.#options = options;
    this.#finding = this.#audit();
    const labels = { partition: String(options.partition) };
    this.#withdraw = [
      options.metrics.add({
        name: "runlane_slots_held",
        help: "Slots that attempts held at the last audit.",
        type: "gauge",
        labels,
        read: () => this.#finding.held,
      }),
      options.metrics.add({
        name: "runlane_slots_off",
        help: "By how many slots the counts that runs are started by differed from what attempts held at the last audit. Anything but 0 is a defect.",
        type: "gauge",
        labels,
        read: () => this.#finding.off,
      }),
      options.metrics.add({ name: "runlane_slot_audits_total", help: "Audits of slots.", type: "counter", labels, read: () => this.#audits }),
    ];
  }

  /** The partition is served no longer. */
  stop(): void {
    this.#cancel();
    for (const withdraw of this.#withdraw) withdraw();
  }

  #audit(): SlotFinding {
    const { durable, clock, logger, partition } = this.#options;
    const finding = auditSlots(durable);
    this.#audits += 1;
    // Once for each change: a defect that stays must not fill the disk.
    if (finding.off !== (this.#finding?.off ?? 0)) logger.error({ partition, off: finding.off, faults: finding.faults.slice(0, mostFaults) }, "slots are off");
    this.#cancel = clock.after(auditEveryMs, () => {
      this.#finding = this.#audit();
    });
    return finding;
  }
}
