import { expect, test } from "vitest";
import { MemoryOwnership } from "./memory-ownership.js";
import { ownershipSuite } from "./ownership.suite.js";

ownershipSuite("MemoryOwnership", async () => {
  const ownership = new MemoryOwnership();
  return { node: async () => ({ claims: ownership, directory: ownership }), close: () => ownership.close() };
});

test("a claim lapses and is renewed as a test wants it", async () => {
  const ownership = new MemoryOwnership();
  const claim = await ownership.claim(0, "a");
  const lost: string[] = [];
  claim.onLost((why) => lost.push(why));
  ownership.lapse(0);
  expect(claim.valid()).toBe(false);
  expect(lost).toEqual(["lapsed"]);
  ownership.renew(0);
  expect(claim.valid()).toBe(true);
});
