import { currentRunRuntime } from "../runtime/run-runtime.js";
import type { RunUpdates } from "../runtime/run-updates.js";
import type { MetadataOperation, MetadataTarget } from "./metadata-operation.js";
import { metadataPath, valueAt } from "./metadata-path.js";
import { isRunMetadata, type MetadataValue, metadataValue, type RunMetadata } from "./metadata-value.js";

/**
 * Changes the metadata of a run. Each function returns the object itself, so that calls can follow each other: `metadata.set("a", 1).increment("b")`. A key that begins with "$." is a path:
 * "$.user.name".
 */
export interface MetadataUpdater<TSelf> {
  /** Sets a key. `undefined` deletes it. */
  set(key: string, value: unknown): TSelf;
  /** Deletes a key. */
  del(key: string): TSelf;
  /** Adds to the end of the list under a key; what is no list becomes one. */
  append(key: string, value: unknown): TSelf;
  /** Takes all that equals the value out of the list under a key. */
  remove(key: string, value: unknown): TSelf;
  /** Adds to the number under a key, default 1; what is no number counts as 0. Increments of several runs do not get lost. */
  increment(key: string, value?: number): TSelf;
  /** Subtracts from the number under a key, default 1. */
  decrement(key: string, value?: number): TSelf;
}

/** Metadata of another run: one can change it, not read it. */
export interface RelatedMetadata extends MetadataUpdater<RelatedMetadata> {
  /** Replaces all of it. */
  update(metadata: Record<string, unknown>): RelatedMetadata;
  /** Not yet supported: throws. */
  stream(key: string, value: unknown, signal?: AbortSignal): never;
}

/** Metadata of the run that calls. */
export interface Metadata extends MetadataUpdater<Metadata> {
  /** A copy of all of it, with the changes of this attempt. */
  current(): RunMetadata;
  /** A copy of the value under a key; undefined if there is none. */
  get(key: string): MetadataValue | undefined;
  /** Replaces all of it. */
  replace(metadata: Record<string, unknown>): void;
  /** @deprecated Trigger.dev's older name of `replace`. */
  save(metadata: Record<string, unknown>): void;
  /** Resolves when the server has all changes up to here. They get there without it, too: at once, then every second, and before the run's end is reported. */
  flush(): Promise<void>;
  /** Reads the metadata from the server, to see what children have changed. */
  refresh(): Promise<void>;
  /** Not yet supported: throws. */
  stream(key: string, value: unknown, signal?: AbortSignal): never;
  /** Not yet supported: throws. */
  fetchStream(key: string, signal?: AbortSignal): never;
  /** Metadata of the run that triggered this one; of a run that no run triggered, its own. */
  readonly parent: RelatedMetadata;
  /** Metadata of the first ancestor; of a run that no run triggered, its own. */
  readonly root: RelatedMetadata;
}

const noStreams = (name: string) => (): never => {
  throw new Error(`metadata.${name}: not yet supported`);
};

/**
 * Metadata of the run that calls: a JSON object of at most 256 KiB that everybody who looks at the run sees, while it runs and afterwards. A change is seen by this attempt at once, and by
 * others a moment later.
 *
 * @throws Error outside a run, for a key that is not allowed, and if the metadata would have more than 256 KiB; TypeError for what JSON cannot say
 */
export const metadata: Metadata = {
  ...updater("metadata", "self", () => metadata),
  current: () => structuredClone(updates("metadata.current").metadata),
  get: (key) => structuredClone(valueAt(updates("metadata.get").metadata, metadataPath(key))),
  replace: (value) => replace("metadata.replace", "self", value),
  save: (value) => replace("metadata.save", "self", value),
  flush: async () => updates("metadata.flush").flush(),
  refresh: async () => updates("metadata.refresh").refresh(),
  stream: noStreams("stream"),
  fetchStream: noStreams("fetchStream"),
  parent: related("parent"),
  root: related("root"),
};

function related(target: "parent" | "root"): RelatedMetadata {
  const self: RelatedMetadata = {
    ...updater(`metadata.${target}`, target, () => self),
    update(value) {
      replace(`metadata.${target}.update`, target, value);
      return self;
    },
    stream: noStreams(`${target}.stream`),
  };
  return self;
}

function updater<TSelf>(where: string, target: MetadataTarget, self: () => TSelf): MetadataUpdater<TSelf> {
  const change = (name: string, operation: MetadataOperation): TSelf => {
    const run = updates(`${where}.${name}`);
    if (operation.type !== "replace") metadataPath(operation.key);
    run.change(target, operation);
    return self();
  };
  const valued = (name: "set" | "append" | "remove") => (key: string, given: unknown) => {
    const value = metadataValue(given, `${where}.${name}: the value`);
    if (value !== undefined) return change(name, { type: name, key, value });
    // As in a list of JSON.
    return change(name, name === "set" ? { type: "delete", key } : { type: name, key, value: null });
  };
  const add = (name: string, key: string, value: number) => {
    if (!Number.isFinite(value)) throw new TypeError(`${where}.${name}: ${String(value)} is no number that can be added`);
    return change(name, { type: "increment", key, value });
  };
  return {
    set: valued("set"),
    del: (key) => change("del", { type: "delete", key }),
    append: valued("append"),
    remove: valued("remove"),
    increment: (key, value = 1) => add("increment", key, value),
    decrement: (key, value = 1) => add("decrement", key, -value),
  };
}

function replace(where: string, target: MetadataTarget, given: Record<string, unknown>): void {
  const run = updates(where);
  const value = metadataValue(given, `${where}: the metadata`);
  if (!isRunMetadata(value)) throw new TypeError(`${where}: metadata is an object`);
  run.change(target, { type: "replace", value });
}

function updates(where: string): RunUpdates {
  const runtime = currentRunRuntime();
  if (runtime === undefined) throw new Error(`${where} can only be used inside a run`);
  return runtime.updates;
}
