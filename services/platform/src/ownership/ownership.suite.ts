import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Owner, OwnerDirectory } from "../transport/owner-directory.js";
import { ClaimLost, type PartitionClaims } from "./partition-claim.js";

/** What a node knows ownership by. */
export interface OwnershipNode {
  readonly claims: PartitionClaims;
  readonly directory: OwnerDirectory;
}

/** Something that the suite can let nodes claim partitions of. */
export interface OwnershipFixture {
  /** Adds a node. */
  node(): Promise<OwnershipNode>;
  /** Takes away whatever the fixture made. */
  close(): Promise<void>;
}

/** The behaviour of every pair of PartitionClaims and OwnerDirectory. */
export function ownershipSuite(name: string, makeFixture: () => Promise<OwnershipFixture>): void {
  describe(`${name} says who owns what`, () => {
    let fixture: OwnershipFixture;
    let a: OwnershipNode;
    let b: OwnershipNode;
    beforeEach(async () => {
      fixture = await makeFixture();
      a = await fixture.node();
      b = await fixture.node();
    });
    afterEach(() => fixture.close());

    test("a free partition is had at once, each by whoever asks", async () => {
      const [zero, one] = await Promise.all([a.claims.claim(0, "a"), b.claims.claim(1, "b")]);
      expect(zero).toMatchObject({ partition: 0, nodeId: "a" });
      expect(zero.valid()).toBe(true);
      expect(one.valid()).toBe(true);
    });

    test("another node waits until it is released", async () => {
      const first = await a.claims.claim(0, "a");
      let second: unknown;
      const waiting = b.claims.claim(0, "b").then((claim) => {
        second = claim;
        return claim;
      });
      await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 50))]);
      expect(second).toBeUndefined();
      await first.release();
      await first.release();
      expect(first.valid()).toBe(false);
      expect((await waiting).valid()).toBe(true);
    });

    test("of many that wait one gets it, and then the next", async () => {
      let holder = await a.claims.claim(0, "a");
      let waiting = await Promise.all(["b", "c", "d"].map(async (id) => ({ id, claim: (await fixture.node()).claims.claim(0, id) })));
      while (waiting.length > 0) {
        await holder.release();
        const won: string[] = [];
        for (const { id, claim } of waiting) void claim.then(() => won.push(id));
        holder = await Promise.race(waiting.map(({ claim }) => claim));
        expect(holder.valid()).toBe(true);
        expect(won).toEqual([holder.nodeId]);
        waiting = waiting.filter(({ id }) => id !== holder.nodeId);
      }
    });

    test("waiting can be given up", async () => {
      await a.claims.claim(0, "a");
      const abort = new AbortController();
      const waiting = b.claims.claim(0, "b", { signal: abort.signal });
      abort.abort(new Error("enough"));
      await expect(waiting).rejects.toThrow("enough");
    });

    test("a node that starts again has it back at once, and its earlier life hears of it", async () => {
      const before = await a.claims.claim(0, "a");
      const lost: string[] = [];
      before.onLost((why) => lost.push(why));
      await before.publish(owner(1));
      const now = await b.claims.claim(0, "a");
      expect(now.valid()).toBe(true);
      await expect(before.publish(owner(2))).rejects.toThrow(ClaimLost);
      expect(before.valid()).toBe(false);
      expect(lost).toEqual(["taken"]);
      await before.release();
      expect(now.valid()).toBe(true);
      await now.publish(owner(3));
      await expect.poll(() => a.directory.current(0)).toEqual(owner(3));
    });

    test("an owner that is published is known to every node, and watchers hear of it", async () => {
      const heard: (Owner | undefined)[] = [];
      b.directory.watch(0, (now) => heard.push(now));
      const claim = await a.claims.claim(0, "a");
      expect(a.directory.current(0)).toBeUndefined();
      await claim.publish(owner(1));
      await claim.publish(owner(2));
      for (const { directory } of [a, b]) await expect.poll(() => directory.current(0)).toEqual(owner(2));
      expect(heard).toEqual([owner(1), owner(2)]);
      const late: (Owner | undefined)[] = [];
      b.directory.watch(0, (now) => late.push(now));
      expect(late).toEqual([owner(2)]);
      expect(b.directory.current(1)).toBeUndefined();
    });

    test("a directory that comes later finds the owner", async () => {
      await (await a.claims.claim(0, "a")).publish(owner(1));
      const { directory } = await fixture.node();
      await expect.poll(() => directory.current(0)).toEqual(owner(1));
    });

    test("after a release there is no owner, until there is another", async () => {
      const heard: (bigint | undefined)[] = [];
      const unwatch = b.directory.watch(0, (now) => heard.push(now?.epoch));
      const first = await a.claims.claim(0, "a");
      await first.publish(owner(1));
      await first.release();
      const second = await b.claims.claim(0, "b");
      await second.publish(owner(2));
      await expect.poll(() => heard).toEqual([1n, undefined, 2n]);
      unwatch();
      await second.publish(owner(3));
      await expect.poll(() => b.directory.current(0)).toEqual(owner(3));
      expect(heard).toEqual([1n, undefined, 2n]);
    });

    test("a new holder has not published yet: there is no owner", async () => {
      await (await a.claims.claim(0, "a")).publish(owner(1));
      await expect.poll(() => b.directory.current(0)).toEqual(owner(1));
      await b.claims.claim(0, "a");
      await expect.poll(() => b.directory.current(0)).toBeUndefined();
    });
  });
}

/** An owner of some epoch. */
export const owner = (epoch: number): Owner => ({ epoch: BigInt(epoch), address: `owner.0.${epoch}` });
