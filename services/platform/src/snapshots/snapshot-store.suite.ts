import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SnapshotMissing, type SnapshotStore } from "./snapshot-store.js";

/** A store that the suite can test, and how to end it. */
export interface SnapshotStoreFixture {
  readonly store: SnapshotStore;
  close(): Promise<void>;
}

/** The behaviour of every SnapshotStore. */
export function snapshotStoreSuite(name: string, makeFixture: () => Promise<SnapshotStoreFixture>): void {
  describe(`${name} is a store of snapshots`, () => {
    let fixture: SnapshotStoreFixture;
    let store: SnapshotStore;
    beforeAll(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterAll(() => fixture.close());

    test("what was put is got, chunk by chunk, and listed with its size", async () => {
      const chunks = [randomBytes(512 * 1024), randomBytes(3), randomBytes(100)];
      expect(await store.put("1-a", chunks)).toBe(512 * 1024 + 103);
      const read: Uint8Array[] = [];
      for await (const chunk of store.get("1-a")) read.push(chunk);
      expect(read.map((chunk) => Buffer.from(chunk).toString("hex"))).toEqual(chunks.map((chunk) => chunk.toString("hex")));
      expect(await store.list()).toEqual([{ name: "1-a", bytes: 512 * 1024 + 103 }]);
      await store.remove("1-a");
      await store.remove("1-a");
      expect(await store.list()).toEqual([]);
    });

    test("one whose writing ended halfway is listed as that, and cannot be read", async () => {
      const broken = async function* () {
        yield randomBytes(10);
        yield randomBytes(10);
        throw new Error("the writer ended");
      };
      await expect(store.put("2-b", broken())).rejects.toThrow("the writer ended");
      expect(await store.list()).toEqual([{ name: "2-b", bytes: undefined }]);
      const reading = (async () => {
        for await (const _ of store.get("2-b"));
      })();
      await expect(reading).rejects.toThrow(SnapshotMissing);
      await store.remove("2-b");
      expect(await store.list()).toEqual([]);
    });
  });
}
