import { writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/test-worker.js";
import { hostCapacity } from "./worker-capacity.js";

test("without limits, a worker offers its host", () => {
  const capacity = hostCapacity("/nowhere");
  expect(capacity.milliCpus).toBe(availableParallelism() * 1_000);
  expect(capacity.memoryMib).toBeLessThanOrEqual(totalmem() / 2 ** 20);
  expect(capacity.memoryMib).toBeGreaterThan(64);
});

test.each([
  ["50000 100000", 500],
  ["max 100000", availableParallelism() * 1_000],
])("a container with cpu.max of %j offers %i thousandths of a core", (text, milliCpus) => {
  const file = join(temporaryFolder(), "cpu.max");
  writeFileSync(file, `${text}\n`);
  expect(hostCapacity(file).milliCpus).toBe(milliCpus);
});
