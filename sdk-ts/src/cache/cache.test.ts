import { expect, test } from "vitest";
import { type CacheEntry, createCache, InMemoryCache } from "./cache.js";

test("a cache asks the function once for each key", async () => {
  const asked: string[] = [];
  const cache = createCache(new InMemoryCache());
  const get = (key: string) => cache(key, () => asked.push(key));
  expect([await get("a"), await get("a"), await get("b")]).toEqual([1, 1, 2]);
  expect(asked).toEqual(["a", "b"]);
});

test("a cache keeps values that are nothing", async () => {
  let calls = 0;
  const cache = createCache(new InMemoryCache());
  for (let i = 0; i < 2; i += 1) expect(await cache("a", () => void (calls += 1))).toBeUndefined();
  expect(calls).toBe(1);
});

test("a cache keeps nothing of a function that throws", async () => {
  const cache = createCache(new InMemoryCache());
  const broken = async () => cache("a", () => Promise.reject(new Error("not now")));
  await expect(broken()).rejects.toThrow("not now");
  expect(await cache("a", () => 7)).toBe(7);
});

test("a store of one's own may take its time, and forget", async () => {
  const entries = new Map<string, CacheEntry>();
  const cache = createCache({
    get: async (key) => entries.get(key) ?? null,
    set: async (key, entry) => entries.set(key, entry),
    delete: (key) => entries.delete(key),
  });
  const before = Date.now();
  expect(await cache("a", async () => "first")).toBe("first");
  expect(entries.get("a")).toEqual({ value: "first", metadata: { createdTime: expect.any(Number) } });
  expect(entries.get("a")!.metadata.createdTime).toBeGreaterThanOrEqual(before);
  entries.clear();
  expect(await cache("a", async () => "second")).toBe("second");
});
