import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reasonOf } from "../errors.js";
import { looksLikeReference, mintReference, type PayloadStore, payloadLimits } from "./payload-store.js";

/** A store that the suite can test, and how to end it. */
export interface PayloadStoreFixture {
  readonly store: PayloadStore;
  close(): Promise<void>;
}

/** The behaviour of every PayloadStore. */
export function payloadStoreSuite(name: string, makeFixture: () => Promise<PayloadStoreFixture>): void {
  describe(`${name} is a payload store`, () => {
    let fixture: PayloadStoreFixture;
    let store: PayloadStore;
    beforeAll(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterAll(() => fixture.close());
    const newName = (environment = "dev") => ({ environment, reference: mintReference() });

    test("what was put is got, whatever its size", async () => {
      for (const size of [0, 1, payloadLimits.chunkBytes, payloadLimits.chunkBytes + 1, payloadLimits.bytes]) {
        const payload = newName();
        const bytes = randomBytes(size);
        expect(await store.put(payload, chunksOf(bytes))).toBe(size);
        const read = await contentOf(store.get(payload));
        expect([read.length, digestOf(read)]).toEqual([size, digestOf(bytes)]);
      }
    });

    test("empty chunks count for nothing", async () => {
      const payload = newName();
      expect(await store.put(payload, [new Uint8Array(), Buffer.from("ab"), new Uint8Array(), Buffer.from("c"), new Uint8Array()])).toBe(3);
      expect((await contentOf(store.get(payload))).toString()).toBe("abc");
    });

    test("of another environment, or another name, there is nothing", async () => {
      const payload = newName();
      await store.put(payload, [Buffer.from("a")]);
      expect(await reasonOfGetting(store, { ...payload, environment: "prod" })).toBe("PAYLOAD_NOT_FOUND");
      expect(await reasonOfGetting(store, newName())).toBe("PAYLOAD_NOT_FOUND");
    });

    test("a put whose source fails fails like it, can be read by nobody, and is listed for the sweep", async () => {
      const payload = newName("broken");
      const source = async function* () {
        yield randomBytes(1_000);
        yield randomBytes(1_000);
        throw new Error("the client went away");
      };
      await expect(store.put(payload, source())).rejects.toThrow("the client went away");
      expect(await reasonOfGetting(store, payload)).toBe("PAYLOAD_NOT_FOUND");
      expect(await store.list("broken")).toEqual([payload.reference]);
      await store.remove(payload);
      expect(await store.list("broken")).toEqual([]);
    });

    test("the next chunk is taken only when the one before is stored", async () => {
      let taken = 0;
      const source = function* () {
        for (; taken < 3; taken++) yield Buffer.from([taken]);
      };
      const putting = store.put(newName(), source());
      expect(taken).toBeLessThan(3);
      expect(await putting).toBe(3);
    });

    test("what was removed is gone; removing it again, or what never was, is no error", async () => {
      const payload = newName();
      await store.put(payload, chunksOf(randomBytes(600_000)));
      await store.remove(payload);
      await store.remove(payload);
      await store.remove(newName());
      expect(await reasonOfGetting(store, payload)).toBe("PAYLOAD_NOT_FOUND");
      expect(await store.lastWritten(payload)).toBeUndefined();
    });

    test("what is removed while it is read breaks off, and never looks whole", async () => {
      const payload = newName();
      await store.put(payload, chunksOf(randomBytes(2_000_000)));
      const reading = store.get(payload)[Symbol.asyncIterator]();
      await reading.next();
      await store.remove(payload);
      await expect(
        (async () => {
          while (!(await reading.next()).done);
        })(),
      ).rejects.toThrow(payload.reference);
    });

    test("it lists an environment's payloads, and says when each was written", async () => {
      const payloads = Array.from({ length: 5 }, () => newName("listed"));
      const before = Date.now();
      for (const payload of payloads) await store.put(payload, [Buffer.from("x")]);
      expect((await store.list("listed")).sort()).toEqual(payloads.map(({ reference }) => reference).sort());
      expect(await store.list("nobody")).toEqual([]);
      const written = await store.lastWritten(payloads[0]!);
      expect(written).toBeGreaterThanOrEqual(before - 1_000);
      expect(written).toBeLessThanOrEqual(Date.now() + 1_000);
      expect(await store.lastWritten(newName("listed"))).toBeUndefined();
    });

    test("minted references differ, and look like references", () => {
      const minted = Array.from({ length: 1_000 }, mintReference);
      expect(new Set(minted).size).toBe(1_000);
      expect(minted.every(looksLikeReference)).toBe(true);
      for (const other of ["", "pay_", "pay_1.2", "run_abc", `${minted[0]}x`]) expect(looksLikeReference(other)).toBe(false);
    });
  });
}

/** Bytes in chunks of the usual size. */
export function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += payloadLimits.chunkBytes) yield bytes.subarray(from, from + payloadLimits.chunkBytes);
}

/** All of a payload. */
export async function contentOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) {
    expect(chunk.length).toBeGreaterThan(0);
    expect(chunk.length).toBeLessThanOrEqual(payloadLimits.chunkBytes);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** Why a payload cannot be got; undefined if it can. */
export async function reasonOfGetting(store: PayloadStore, name: Parameters<PayloadStore["get"]>[0]): Promise<string | undefined> {
  return await contentOf(store.get(name)).then(() => undefined, reasonOf);
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
