import type { MetadataValue, RunMetadata } from "./metadata-value.js";

/** A key of an object, or an index of a list. */
export type PathStep = string | number;

const forbidden = new Set(["__proto__", "constructor", "prototype"]);
/** Steps of a path, at most; the server's rule. */
const mostSteps = 64;
/** A list grows up to this index by being written to; the server's rule. */
const mostIndex = 9_999;
const pathStep = /\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]/y;

/**
 * Where in metadata a key points: the key itself, or, if it begins with "$.", the steps of a path: `$.user.emails[0]["of work"]`. The server reads keys in the same way.
 *
 * @throws Error for what is no path, and for names that would reach into JavaScript's own objects; TypeError for what is no text
 */
export function metadataPath(key: string): PathStep[] {
  if (typeof key !== "string") throw new TypeError(`metadata: a key is a string, not ${typeof key}`);
  const steps: PathStep[] = [];
  if (!key.startsWith("$.")) steps.push(key);
  else {
    pathStep.lastIndex = 1;
    while (pathStep.lastIndex < key.length) {
      const found = pathStep.exec(key);
      if (!found) throw new Error(`metadata: ${shown(key)} is no path: names, [0] and ["names"] may follow "$"`);
      steps.push(found[2] === undefined ? (found[1] ?? found[3] ?? found[4] ?? "") : Number(found[2]));
    }
  }
  const isAllowed = (step: PathStep) => (typeof step === "number" ? step <= mostIndex : !forbidden.has(step));
  if (steps.length > mostSteps || !steps.every(isAllowed)) throw new Error(`metadata: ${shown(key)} is not allowed as a key`);
  return steps;
}

/** The value that a path points to; undefined if there is none. */
export function valueAt(metadata: RunMetadata, path: readonly PathStep[]): MetadataValue | undefined {
  let value: MetadataValue | undefined = metadata;
  for (const step of path) value = childOf(value, step);
  return value;
}

/**
 * Puts a value where a path points to. What is missing on the way is made; what is neither object nor list gives way.
 *
 * @throws Error if a name is to be set in a list
 */
export function putAt(metadata: RunMetadata, path: readonly PathStep[], value: MetadataValue): void {
  let holder: MetadataValue = metadata;
  for (const [at, step] of path.entries()) {
    if (at === path.length - 1) return setChild(holder, step, value);
    let next: MetadataValue | undefined = childOf(holder, step);
    if (next === null || typeof next !== "object") {
      next = typeof path[at + 1] === "number" ? [] : {};
      setChild(holder, step, next);
    }
    holder = next;
  }
}

/** Takes away what a path points to, if it is there. */
export function deleteAt(metadata: RunMetadata, path: readonly PathStep[]): void {
  const holder = valueAt(metadata, path.slice(0, -1));
  const last = path.at(-1);
  if (last === undefined || holder === undefined || childOf(holder, last) === undefined) return;
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else delete (holder as RunMetadata)[last];
}

function childOf(holder: MetadataValue | undefined, step: PathStep): MetadataValue | undefined {
  if (Array.isArray(holder)) return typeof step === "number" ? holder[step] : undefined;
  if (holder === undefined || holder === null || typeof holder !== "object") return undefined;
  return Object.hasOwn(holder, step) ? holder[step] : undefined;
}

function setChild(holder: MetadataValue, step: PathStep, value: MetadataValue): void {
  if (Array.isArray(holder)) {
    if (typeof step !== "number") throw new Error(`metadata: ${shown(step)} is no index, and a list has nothing else`);
    while (holder.length < step) holder.push(null);
    holder[step] = value;
  } else (holder as RunMetadata)[step] = value;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
