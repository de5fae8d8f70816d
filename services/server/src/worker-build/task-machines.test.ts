import { expect, test } from "vitest";
import { developmentCapacity, tasksWithoutRoom } from "./task-machines.js";

const task = (id: string, machine?: string) => ({ id, filePath: "a.ts", maxAttempts: 3, machine });
const small = { milliCpus: 2_000, memoryMib: 4_000 };

test("a worker says which of its tasks it has no room for", () => {
  const tasks = [task("plain"), task("fits", "medium-1x"), task("cpu", "large-1x"), task("memory", "medium-2x")];
  const lines = tasksWithoutRoom(tasks, small);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('the task "cpu" asks for the machine large-1x (4 cpu, 8 GiB), and this worker offers 2 cpu and 4000 MiB');
  expect(lines[1]).toContain('"memory"');
});

test("in development there is room for one run of every task", () => {
  expect(developmentCapacity([task("plain"), task("fits", "micro")], small)).toEqual(small);
  expect(developmentCapacity([task("large", "large-1x")], small)).toEqual({ milliCpus: 4_000, memoryMib: 8_192 });
});
