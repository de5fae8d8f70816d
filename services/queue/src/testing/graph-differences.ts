import { Fifo } from "../engine/fifo.js";
import { Heap } from "../engine/heap.js";
import { ReadyRuns } from "../engine/ready-runs.js";
import { Runs } from "../engine/runs.js";

/** Differences that are told; the first is what counts. */
const most = 5;

/**
 * Where two states differ, as paths; empty if they are the same in every field, in the order of every map, set and list, and in who refers to whom. It knows no field by name: one that is added to the state
 * is compared without being told. Heaps are left out, being made of the rest; what they are good for shows in what is decided.
 */
export function graphDifferences(a: unknown, b: unknown): string[] {
  const differences: string[] = [];
  const partners = new Map<object, object>();
  const pending: { readonly path: string; readonly a: unknown; readonly b: unknown }[] = [{ path: "", a, b }];
  const differ = (path: string, why: string) => {
    differences.push(`${path || "."}: ${why}`);
  };
  for (let next = pending.pop(); next && differences.length < most; next = pending.pop()) {
    const { path, a: one, b: other } = next;
    if (Object.is(one, other)) continue;
    if (!isObject(one) || !isObject(other)) {
      differ(path, `${shown(one)} and ${shown(other)}`);
      continue;
    }
    const partner = partners.get(one);
    if (partner) {
      if (partner !== other) differ(path, "refers to another of its kind");
      continue;
    }
    partners.set(one, other);
    if ((one instanceof Heap && other instanceof Heap) || (one instanceof ReadyRuns && other instanceof ReadyRuns)) continue;
    if (one instanceof Uint8Array && other instanceof Uint8Array) {
      if (Buffer.compare(one, other) !== 0) differ(path, "has other bytes");
      continue;
    }
    const [left, right] = [entriesOf(one), entriesOf(other)];
    if (left.length !== right.length) differ(path, `has ${left.length} entries and ${right.length}: ${keysOf(left)} and ${keysOf(right)}`);
    for (let i = Math.min(left.length, right.length) - 1; i >= 0; i--) {
      const [key, value] = left[i] as Entry;
      const [otherKey, otherValue] = right[i] as Entry;
      if (isObject(key)) pending.push({ path: `${path}[key ${i}]`, a: key, b: otherKey });
      else if (key !== otherKey) differ(path, `has ${shown(key)} where the other has ${shown(otherKey)}`);
      pending.push({ path: `${path}.${isObject(key) ? i : String(key)}`, a: value, b: otherValue });
    }
  }
  return differences;
}

type Entry = readonly [key: unknown, value: unknown];

function entriesOf(value: object): Entry[] {
  if (value instanceof Map) return [...value];
  // Whether a run is packed is no part of the state.
  if (value instanceof Runs) return [...value.values()].map((run) => [run.number, run]);
  if (value instanceof Set) return [...value].map((each, index) => [index, each]);
  if (Array.isArray(value)) return value.map((each, index) => [index, each]);
  if (value instanceof Fifo) {
    const entries: Entry[] = [];
    value.forEach((each) => {
      entries.push([entries.length, each]);
    });
    return entries;
  }
  // A field that is undefined and one that is not there say the same; and a message may stand where only its data is meant.
  return Object.entries(value)
    .filter(([name, each]) => each !== undefined && name !== "$typeName")
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

function keysOf(entries: readonly Entry[]): string {
  return entries
    .slice(0, 40)
    .map(([key]) => shown(key))
    .join(" ");
}

function shown(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return isObject(value) ? (value.constructor?.name ?? "object") : JSON.stringify(value);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
