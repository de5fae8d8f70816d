import { describe, expect, test } from "vitest";
import { presetOf } from "./machine-option.js";
import { machinePreset } from "./machine-preset.js";

describe("a machine", () => {
  test("is named by its preset", () => {
    expect(presetOf("task", "small-2x")).toBe("small-2x");
    expect(presetOf("task", { preset: "large-1x" })).toBe("large-1x");
  });

  test.each([
    [{ cpu: 0.25, memory: 0.25 }, "micro"],
    [{ cpu: 1, memory: 1 }, "small-2x"],
    [{ cpu: 1, memory: 1.5 }, "medium-1x"],
    [{ cpu: 4 }, "large-1x"],
    [{ memory: 3 }, "medium-2x"],
    [{ cpu: 8, memory: 16 }, "large-2x"],
  ] as const)("that must have %o is %s", (option, preset) => {
    expect(presetOf("task", option)).toBe(preset);
  });

  test("that does not exist is refused, and the others are named", () => {
    expect(() => presetOf('task "a": machine', "huge" as never)).toThrow('task "a": machine: there is no machine "huge"; there are micro, small-1x');
    expect(() => presetOf("task", { cpu: 16, memory: 1 })).toThrow("no machine has 16 cpu and 1 GiB of memory; the largest is large-2x");
  });

  test("has what Trigger.dev's has", () => {
    expect(machinePreset("medium-1x")).toEqual({ name: "medium-1x", milliCpus: 1_000, memoryMib: 2_048 });
    expect(machinePreset("toString")).toBeUndefined();
  });
});
