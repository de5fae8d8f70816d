import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { descendantEntries, descendants, parseProcessorTime, processorMs, processTable } from "./process-table.js";

test("the table has this process, with its memory", () => {
  const self = processTable().find((entry) => entry.pid === process.pid);
  expect(self?.parent).toBe(process.ppid);
  expect(self?.memory).toBeGreaterThan(10e6);
});

test("a child is a descendant, and has used processor time when it speaks", async () => {
  const child = spawn(process.execPath, ["-e", "while (performance.now() < 100); console.log(1); setInterval(() => {}, 1e6)"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  expect(descendants(process.pid)).toContain(child.pid);
  expect(processorMs(child.pid!)).toBeGreaterThan(30);
});

test("descendants are found however deep, parents first", () => {
  const entry = (pid: number, parent: number) => ({ pid, parent, memory: 0, command: "" });
  const table = [entry(4, 3), entry(2, 1), entry(3, 2), entry(9, 8)];
  expect(descendantEntries(1, table).map(({ pid }) => pid)).toEqual([2, 3, 4]);
});

test("a process that is gone has used nothing", () => expect(processorMs(2 ** 30)).toBe(0));

test.each([
  ["0:01.50", 1_500],
  ["12:00", 720_000],
  ["1:02:03", 3_723_000],
  [" 2-00:00:01\n", 172_801_000],
])("ps says %j", (text, milliseconds) => expect(parseProcessorTime(text)).toBe(milliseconds));
