import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../testing/test-worker.js";
import { MemoryGroups, memoryGroupsHere } from "./memory-groups.js";

// Folders and files as the kernel shows them. What the kernel then does is not tested here.
function groupTree({ group = "/service", controllers = "cpu memory", enabled = "", procs = "10\n11\n" } = {}) {
  const root = temporaryFolder();
  const own = join(root, group);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(root, "cgroup.controllers"), controllers);
  writeFileSync(join(own, "cgroup.controllers"), controllers);
  writeFileSync(join(own, "cgroup.subtree_control"), enabled);
  writeFileSync(join(own, "cgroup.procs"), procs);
  const self = join(root, "self");
  writeFileSync(self, `0::${group}\n`);
  return { root, own, self };
}

describe("control groups of runners", () => {
  test("are made below the worker's own, whose processes move aside", () => {
    const { root, own, self } = groupTree();
    const groups = MemoryGroups.open((pid) => pid === 10 || pid === 11, root, self)!;
    expect(readFileSync(join(own, "runlane-worker", "cgroup.procs"), "utf8")).toBe("11");
    expect(readFileSync(join(own, "cgroup.subtree_control"), "utf8")).toBe("+memory");
    const group = groups.make(512, 4711)!;
    const name = readdirSync(own).find((entry) => entry.startsWith("runlane-runner-"))!;
    const read = (file: string) => readFileSync(join(own, name, file), "utf8");
    expect([read("memory.max"), read("memory.swap.max"), read("cgroup.procs")]).toEqual([String(512 * 2 ** 20), "0", "4711"]);
    writeFileSync(join(own, name, "memory.events"), "max 7\noom 1\noom_kill 0\n");
    expect(group.oomKilled).toBe(false);
    writeFileSync(join(own, name, "memory.events"), "max 7\noom 1\noom_kill 1\n");
    expect(group.oomKilled).toBe(true);
  });

  test("are found again by a supervisor that was started in the group of the one before", () => {
    const { root, own, self } = groupTree({ group: "/service/runlane-worker" });
    const service = join(own, "..");
    for (const [file, text] of [
      ["cgroup.controllers", "memory"],
      ["cgroup.subtree_control", "memory"],
    ] as const)
      writeFileSync(join(service, file), text);
    mkdirSync(join(service, "runlane-runner-1-1"));
    expect(MemoryGroups.open(() => true, root, self)).toBeDefined();
    expect(existsSync(join(service, "runlane-runner-1-1"))).toBe(false);
  });

  test.each([
    ["there is no memory controller", { controllers: "cpu" }],
    ["strangers are in the worker's group", { procs: "10\n99\n" }],
  ])("are not made where %s", (_, tree) => {
    const { root, own, self } = groupTree(tree);
    expect(MemoryGroups.open((pid) => pid === 10, root, self)).toBeUndefined();
    expect(readdirSync(own).filter((name) => name.startsWith("runlane-"))).toEqual([]);
  });

  test("are not made without cgroup v2", () => {
    expect(MemoryGroups.open(() => true, temporaryFolder())).toBeUndefined();
    expect(memoryGroupsHere(temporaryFolder())).toEqual({ possible: false, why: "there is no cgroup v2" });
  });

  test("can be asked for, without making any", () => {
    const { root, own, self } = groupTree();
    expect(memoryGroupsHere(root, self)).toEqual({ possible: true, why: `its cgroup ${own} may be divided` });
    expect(readdirSync(own).filter((name) => name.startsWith("runlane-"))).toEqual([]);
  });
});
