/** A value of JSON. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A key of an object, or an index of a list. */
export type Step = string | number;

/** Names that would reach what all objects share. */
const forbidden: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
/** Steps of a path. */
const mostSteps = 64;
/** A list grows up to this index by being written to. */
const mostIndex = 9_999;

const pathStep = /\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]/y;

/** What is wrong with a key, a path or a value, for people. */
export class MetadataFault extends Error {
  override readonly name = "MetadataFault";
}

/**
 * The way that a key names: itself, or if it begins with "$." the steps of a JSONPath, of which names, indexes and quoted names are known: `$.a.b[0]["c d"]`.
 *
 * @throws MetadataFault
 */
export function stepsOf(key: string): Step[] {
  const steps: Step[] = [];
  if (!key.startsWith("$.")) steps.push(key);
  else {
    pathStep.lastIndex = 1;
    while (pathStep.lastIndex < key.length) {
      const found = pathStep.exec(key);
      if (!found) throw new MetadataFault(`${show(key)} is no path: names, [0] and ["names"] may follow "$"`);
      const index = found[2];
      steps.push(index === undefined ? (found[1] ?? found[3] ?? found[4] ?? "") : Number(index));
    }
  }
  if (steps.length > mostSteps) throw new MetadataFault(`${show(key)} has ${steps.length} steps; the limit is ${mostSteps}`);
  for (const step of steps) {
    if (forbidden.has(String(step))) throw new MetadataFault(`${show(key)} names ${step}, which no key may be`);
    if (typeof step === "number" && step > mostIndex) throw new MetadataFault(`${show(key)} has an index above ${mostIndex}`);
  }
  return steps;
}

/** The value at the end of a way; undefined if there is none. */
export function valueAt(root: Json, steps: readonly Step[]): Json | undefined {
  let value: Json | undefined = root;
  for (const step of steps) value = childOf(value, step);
  return value;
}

/** Puts a value at the end of a way. What is missing on the way is made; what is neither object nor list gives way. */
export function putAt(root: Json, steps: readonly Step[], value: Json): void {
  let holder = root;
  for (const [at, step] of steps.entries()) {
    if (at === steps.length - 1) return setChild(holder, step, value);
    let next = childOf(holder, step);
    if (next === null || typeof next !== "object") {
      next = typeof steps[at + 1] === "number" ? [] : {};
      setChild(holder, step, next);
    }
    holder = next;
  }
}

/** Takes away what is at the end of a way. */
export function deleteAt(root: Json, steps: readonly Step[]): void {
  const holder = valueAt(root, steps.slice(0, -1));
  const last = steps.at(-1);
  if (last === undefined || holder === undefined || childOf(holder, last) === undefined) return;
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else if (holder !== null && typeof holder === "object") delete holder[String(last)];
}

function childOf(holder: Json | undefined, step: Step): Json | undefined {
  if (Array.isArray(holder)) return typeof step === "number" ? holder[step] : undefined;
  if (holder === null || typeof holder !== "object") return undefined;
  return Object.hasOwn(holder, String(step)) ? holder[String(step)] : undefined;
}

function setChild(holder: Json, step: Step, value: Json): void {
  if (Array.isArray(holder)) {
    if (typeof step !== "number") throw new MetadataFault(`${show(step)} is no index, and a list has nothing else`);
    while (holder.length < step) holder.push(null);
    holder[step] = value;
  } else if (holder !== null && typeof holder === "object") holder[String(step)] = value;
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
