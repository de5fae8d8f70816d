/** When a value was kept. */
export interface CacheMetadata {
  /** Milliseconds of the Unix epoch. */
  createdTime: number;
  /** For stores that forget, in milliseconds. `createCache` sets none. */
  ttl?: number | null;
}

/** A value as a store keeps it. */
export interface CacheEntry<Value = unknown> {
  metadata: CacheMetadata;
  value: Value;
}

/** A value, now or later, or none. */
export type Eventually<Value> = Value | null | undefined | Promise<Value | null | undefined>;

/** Where a cache keeps values: in memory, in Redis, wherever. */
export interface CacheStore {
  name?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a store holds values of all types at once, as in Trigger.dev
  get: (key: string) => Eventually<CacheEntry<any>>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  set: (key: string, value: CacheEntry<any>) => unknown | Promise<unknown>;
  delete: (key: string) => unknown | Promise<unknown>;
}

/** Returns the value under a key, from the store if it has one, else from the function, whose value is then kept. */
export type CacheFunction = <Value>(cacheKey: string, fn: () => Promise<Value> | Value) => Promise<Value> | Value;

/**
 * Keeps values in the memory of the process, until that ends or `delete`. Attempts share processes here: what is made at the top of a file is shared by them, unlike in Trigger.dev; what is
 * made inside `run`, or kept in `locals`, belongs to the attempt.
 */
// biome-ignore lint/suspicious/noExplicitAny: as above
export class InMemoryCache<Value = any> {
  readonly #entries = new Map<string, CacheEntry<Value>>();

  get(key: string): Eventually<CacheEntry<Value>> {
    return this.#entries.get(key);
  }

  set(key: string, value: CacheEntry<Value>): unknown {
    this.#entries.set(key, value);
    return undefined;
  }

  delete(key: string): unknown {
    this.#entries.delete(key);
    return undefined;
  }
}

/** Makes a cache of a store. As in Trigger.dev; a value that is being made is made again for whoever asks meanwhile. */
export function createCache(store: CacheStore): CacheFunction {
  return async (cacheKey, fn) => {
    const entry = await store.get(cacheKey);
    if (entry) return entry.value;
    const value = await fn();
    await store.set(cacheKey, { value, metadata: { createdTime: Date.now() } });
    return value;
  };
}
