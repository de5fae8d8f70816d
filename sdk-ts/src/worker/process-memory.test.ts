import { expect, test } from "vitest";
import { measureMemory, readPs } from "./process-memory.js";

test("what a process has for itself grows with its buffers", async () => {
  const size = async () => (await measureMemory([process.pid])).get(process.pid)!;
  const before = await size();
  const buffer = Buffer.alloc(64 * 2 ** 20, 1);
  expect((await size()) - before).toBeGreaterThan(50);
  expect(buffer[0]).toBe(1);
});

test("a process that is gone has no size", async () => {
  expect((await measureMemory([2 ** 22 + 1])).size).toBe(0);
});

test("ps is read line by line", () => {
  expect([...readPs("  123  2048\n 4567 1024\n")]).toEqual([
    [123, 2],
    [4_567, 1],
  ]);
  expect(readPs("").size).toBe(0);
});
