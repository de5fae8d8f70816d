import { type Bound, createBound, currentOf } from "./bound.js";
import type { Need } from "./need.js";
import type { ReadyList } from "./ready-list.js";
import { Ring } from "./ring.js";

/** A limit that tasks hold beside their queue's: one that tasks share by name, or a task's own, named "task/<task id>". Changed by `apply` only. */
export interface LimitRecord {
  readonly name: string;
  /** A worker has declared it. What is only named limits nothing, but counts: when it is declared, its slots are known. */
  declared: boolean;
  /** The declaration of a task names it. */
  named: boolean;
  /** The version whose worker declared it last. */
  version: string;
  readonly perKey: Bound;
  readonly total: Bound;
  /** Overrides of single keys, which end by time. */
  readonly keyOverrides: Map<string, KeyOverride>;
  paused: boolean;
  /** Slots held. */
  held: number;
  /** Runs that wait for their start and will hold it. */
  queued: number;
  /** Slots of keys that live runs have; runs without a key share that of the empty one. */
  readonly slots: Map<string, LimitSlots>;
  /** What is ready and waits for it. An index. */
  readonly waiting: Set<Need>;
}

/** The slots of a limit that runs of one key hold. */
export interface LimitSlots {
  readonly limit: LimitRecord;
  readonly key: string;
  held: number;
  queued: number;
  /** Live runs that hold it or will: without any it is dropped. */
  members: number;
  /** Lists of this key that wait for a slot. An index. */
  readonly waiting: Ring<ReadyList>;
}

/** The override of one key. */
export interface KeyOverride {
  readonly value: number;
  readonly atMs: number;
  readonly expireMs: number;
}

/** A limit that nobody has declared. */
export function createLimit(name: string): LimitRecord {
  return {
    name,
    declared: false,
    named: false,
    version: "",
    perKey: createBound(),
    total: createBound(),
    keyOverrides: new Map(),
    paused: false,
    held: 0,
    queued: 0,
    slots: new Map(),
    waiting: new Set(),
  };
}

/** What holds for one key; undefined: no limit. */
export function keyLimitOf(limit: LimitRecord, key: string): number | undefined {
  return limit.keyOverrides.get(key)?.value ?? currentOf(limit.perKey);
}

/** Whether one more run may hold it, keys aside. */
export function limitIsOpen(limit: LimitRecord): boolean {
  if (limit.paused) return false;
  const total = currentOf(limit.total);
  return total === undefined || limit.held < total;
}

/** Whether one more run of this key may hold it, the total aside. */
export function slotsAreOpen({ limit, key, held }: LimitSlots): boolean {
  const most = keyLimitOf(limit, key);
  return most === undefined || held < most;
}

/** A live run of this key holds the limit, or will. */
export function joinLimit(limit: LimitRecord, key: string): LimitSlots {
  let slots = limit.slots.get(key);
  if (!slots) {
    slots = { limit, key, held: 0, queued: 0, members: 0, waiting: new Ring() };
    limit.slots.set(key, slots);
  }
  slots.members += 1;
  return slots;
}

/** It does so no longer. */
export function leaveLimit(slots: LimitSlots): void {
  slots.members -= 1;
  if (slots.members === 0) slots.limit.slots.delete(slots.key);
}

/** Whether anything would be lost if the limit were forgotten. */
export function isForgettable({ declared, named, paused, slots, total, perKey, keyOverrides }: LimitRecord): boolean {
  return !declared && !named && !paused && slots.size === 0 && total.override === undefined && perKey.override === undefined && keyOverrides.size === 0;
}
