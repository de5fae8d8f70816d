import { expect, test } from "vitest";
import { LogConflict, LogFull } from "./log.js";
import { bytes, fill, logSuite, readAll, text } from "./log.suite.js";
import { MemoryLog } from "./memory-log.js";

logSuite("MemoryLog", async () => {
  const { records } = new MemoryLog();
  return { open: async () => new MemoryLog({ records }), close: async () => {} };
});

test("an append waits for the gate, and fails as the gate fails", async () => {
  let open: () => void = () => {};
  let gate: Promise<void> = new Promise((resolve) => {
    open = resolve;
  });
  const seen: string[] = [];
  const log = new MemoryLog({
    onAppend: (expected, record) => {
      seen.push(`${expected}:${text(record)}`);
      return gate;
    },
  });
  const append = log.append(0, bytes("a1"));
  expect(await log.last()).toBe(0);
  open();
  expect(await append).toBe(1);
  gate = Promise.reject(new LogFull("no room"));
  await expect(log.append(1, bytes("a2"))).rejects.toThrow(LogFull);
  expect(await log.last()).toBe(1);
  gate = Promise.resolve();
  expect(await log.append(1, bytes("a2"))).toBe(2);
  expect(seen).toEqual(["0:a1", "1:a2", "1:a2"]);
});

test("a restart opens the same records; a copy keeps them as they were", async () => {
  const log = new MemoryLog();
  await fill(log, 2);
  const copy = log.copy();
  const successor = new MemoryLog({ records: log.records });
  expect(await successor.append(2, bytes("b3"))).toBe(3);
  await expect(log.append(2, bytes("a3"))).rejects.toThrow(LogConflict);
  await log.purge(3);
  expect(await readAll(successor, 1)).toEqual(["3:b3"]);
  expect(await readAll(new MemoryLog({ records: copy }), 1)).toEqual(["1:a1", "2:a2"]);
});
