import { expect, test } from "vitest";
import { CommandFailure } from "./exit-code.js";
import { workerCapacity } from "./worker-capacity.js";

const host = { milliCpus: 8_000, memoryMib: 16_000 };

test.each([
  [{}, host],
  [{ machine: "small-2x" }, { milliCpus: 1_000, memoryMib: 1_024 }],
  [{ cpus: 2.5 }, { milliCpus: 2_500, memoryMib: 16_000 }],
  [{ memory: "4GiB" }, { milliCpus: 8_000, memoryMib: 4_096 }],
  [
    { cpus: 1, memory: "1GB" },
    { milliCpus: 1_000, memoryMib: 953 },
  ],
])("%j offers %j", (options, capacity) => {
  expect(workerCapacity(options, host)).toEqual(capacity);
});

test.each([
  [{ machine: "huge" }, 'there is no machine "huge"; there are micro, small-1x'],
  [{ machine: "micro", cpus: 2 }, "--cpus and --memory do not go with it"],
  [{ memory: "much" }, '"much" is not a size'],
])("%j is refused", (options, words) => {
  expect(() => workerCapacity(options, host)).toThrow(CommandFailure);
  expect(() => workerCapacity(options, host)).toThrow(words);
});
