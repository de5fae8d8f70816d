import { SuperJSON } from "superjson";

/** A value as two JSON texts. */
export interface RichText {
  /** The value as plain JSON, complete: what every language reads. Undefined if JSON cannot say it at all, as a function. */
  readonly json: string | undefined;
  /** What the plain JSON does not say of it, as superjson writes it. Undefined if it says everything. */
  readonly meta: string | undefined;
}

type Meta = NonNullable<ReturnType<SuperJSON["serialize"]>["meta"]>;

// An instance of our own: what a program registers with superjson's default one is not known to workers.
const superjson = new SuperJSON();
superjson.allowErrorProps("stack");
superjson.registerCustom<Buffer, string>(
  {
    isApplicable: (value): value is Buffer => Buffer.isBuffer(value),
    serialize: (bytes) => bytes.toString("base64"),
    deserialize: (text) => Buffer.from(text, "base64"),
  },
  "buffer",
);

/**
 * Writes dates, maps, sets, big integers, regular expressions, undefined, NaN, infinities, -0, URLs, errors (name, message, stack, cause), typed arrays, Buffers, and objects that
 * occur more than once. Instances of other classes become what JSON makes of them.
 *
 * The plain JSON is what JSON.stringify gives, where it gives anything: a field that is undefined is absent, though superjson would write null.
 *
 * @throws Error for a key "__proto__", "constructor" or "prototype", which superjson refuses; TypeError for what JSON cannot say; what a getter or toJSON throws.
 */
export function writeRichValue(value: unknown): RichText {
  const { json, meta } = superjson.serialize(value as Parameters<SuperJSON["serialize"]>[0]);
  if (meta === undefined) return { json: JSON.stringify(json), meta: undefined };
  if (meta.values) leaveOutUndefined(json, meta.values);
  if (meta.referentialEqualities) keepRestorable(meta, value);
  const says = meta.values !== undefined || meta.referentialEqualities !== undefined;
  return { json: JSON.stringify(json), meta: says ? JSON.stringify(meta) : undefined };
}

/**
 * Makes a value of plain JSON, already parsed, and what was written beside it. Changes `json`. Never runs code, never reaches a prototype.
 *
 * @throws Error if `meta` is not what superjson writes
 */
export function readRichValue(json: unknown, meta: unknown): unknown {
  if (typeof meta !== "object" || meta === null) throw new Error("what stands beside the value is not superjson's");
  return superjson.deserialize({ json: json as ReturnType<SuperJSON["serialize"]>["json"], meta }, { inPlace: true });
}

type ValueTree = NonNullable<Meta["values"]>;

/** Fields that are undefined, out of the plain JSON. superjson makes them again, wherever it says so. */
function leaveOutUndefined(json: unknown, tree: ValueTree): void {
  const children = Array.isArray(tree) ? tree[1] : tree;
  for (const [path, subtree] of Object.entries((children ?? {}) as Record<string, ValueTree>)) {
    const keys = keysOf(path);
    const last = keys.pop()!;
    const parent = keys.reduce((object, key) => (object as Record<string, unknown> | undefined)?.[key], json) as Record<string, unknown> | undefined;
    if (parent === undefined || parent === null) continue;
    if (!Array.isArray(subtree) || subtree[0] !== "undefined") leaveOutUndefined(parent[last], subtree);
    else if (!Array.isArray(parent)) delete parent[last];
  }
}

/**
 * Removes from what superjson writes of objects that occur twice what it could not read again: it puts an object into a Set, or under it into a Map, by taking another one out, and so changes the
 * order by which it finds the next. Such an object comes back as one of its own. Removes big integers and NaN, too, which it takes for objects.
 *
 * @throws TypeError for a Set that holds what it is part of, or a Map that has it as a key
 */
function keepRestorable(meta: Meta, value: unknown): void {
  const lists = new Map<object, unknown[]>();
  const kept = (paths: readonly string[]) => paths.filter((path) => isRestorable(value, keysOf(path), lists));
  const keptOf = (equalities: Record<string, string[]>) =>
    Object.fromEntries(Object.entries(equalities).flatMap(([path, paths]) => (kept(paths).length > 0 ? [[path, kept(paths)]] : [])));
  const given = meta.referentialEqualities as Record<string, string[]> | [string[]] | [string[], Record<string, string[]>];
  const others = keptOf(Array.isArray(given) ? (given[1] ?? {}) : given);
  const none = Object.keys(others).length === 0;
  if (Array.isArray(given)) meta.referentialEqualities = none ? [kept(given[0])] : [kept(given[0]), others];
  else if (none) delete meta.referentialEqualities;
  else meta.referentialEqualities = others;
}

function isRestorable(root: unknown, keys: readonly string[], lists: Map<object, unknown[]>): boolean {
  const listOf = (collection: Map<unknown, unknown> | Set<unknown>): unknown[] => {
    const list = lists.get(collection) ?? [...collection];
    lists.set(collection, list);
    return list;
  };
  const ancestors: unknown[] = [];
  let value = root;
  let isFixed = false;
  for (let at = 0; at < keys.length; at++) {
    ancestors.push(value);
    isFixed = value instanceof Set || (value instanceof Map && keys[at + 1] === "0");
    if (value instanceof Set) value = listOf(value)[Number(keys[at])];
    else if (value instanceof Map) value = (listOf(value)[Number(keys[at++])] as unknown[])[Number(keys[at])];
    else value = (value as Record<string, unknown> | undefined)?.[keys[at]!];
  }
  if (isFixed && ancestors.includes(value)) throw new TypeError("a Set, or the keys of a Map, hold an object that they are part of");
  return !isFixed && typeof value === "object";
}

/** The keys of a path as superjson writes it: between dots, and a backslash stands before a dot or backslash of a key. */
function keysOf(path: string): string[] {
  const keys = [""];
  for (let at = 0; at < path.length; at++) {
    if (path[at] === ".") keys.push("");
    else keys.push(`${keys.pop()}${path[at] === "\\" ? path[++at] : path[at]}`);
  }
  return keys;
}
