import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Where Linux shows control groups, version 2. */
const groupsRoot = "/sys/fs/cgroup";
/** The group that the worker's other processes move into: a group with processes of its own may not limit those below it. */
const workerName = "runlane-worker";
const runnerPrefix = "runlane-runner-";
const mib = 2 ** 20;

/** A control group of one runner process and its children: what they have together is bounded by the kernel. */
export class MemoryGroup {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The kernel has killed something in it for want of memory. */
  get oomKilled(): boolean {
    try {
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(this.#folder, "memory.events"), "utf8"))?.[1]) > 0;
    } catch {
      return false;
    }
  }

  /** Ends what is left in it, and removes it. */
  remove(): void {
    tryTo(() => writeFileSync(join(this.#folder, "cgroup.kill"), "1"));
    tryTo(() => rmdirSync(this.#folder));
  }
}

/** Makes control groups for runner processes, below the worker's own. */
export class MemoryGroups {
  readonly #base: string;
  #made = 0;

  private constructor(base: string) {
    this.#base = base;
  }

  /**
   * Undefined if it may not: there is no cgroup v2, it is not the worker's to write (a container, a service without `Delegate=yes`), or strangers are in the worker's own group.
   *
   * @param isOurs whether a process belongs to this worker, and so may be moved into a group beside the runners'
   * @param self the file that names this process's group
   */
  static open(isOurs: (pid: number) => boolean, root: string = groupsRoot, self = "/proc/self/cgroup"): MemoryGroups | undefined {
    try {
      const own = ownGroup(root, self);
      if (own === undefined) return undefined;
      // The supervisor before this one has moved the launcher, and so this one too.
      const base = basename(own) === workerName ? dirname(own) : own;
      if (!words(join(base, "cgroup.controllers")).includes("memory")) return undefined;
      if (!words(join(base, "cgroup.subtree_control")).includes("memory")) {
        const pids = words(join(base, "cgroup.procs")).map(Number);
        if (!pids.every(isOurs)) return undefined;
        const worker = join(base, workerName);
        mkdirSync(worker, { recursive: true });
        for (const pid of pids) writeFileSync(join(worker, "cgroup.procs"), String(pid));
        writeFileSync(join(base, "cgroup.subtree_control"), "+memory");
      }
      const groups = new MemoryGroups(base);
      groups.#sweep();
      return groups;
    } catch {
      return undefined;
    }
  }

  /** Puts a process into a group that may have this much memory, in MiB, and no swap. Undefined if it cannot. */
  make(memoryMib: number, pid: number): MemoryGroup | undefined {
    this.#sweep();
    const folder = join(this.#base, `${runnerPrefix}${process.pid}-${++this.#made}`);
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, "memory.max"), String(memoryMib * mib));
      tryTo(() => writeFileSync(join(folder, "memory.swap.max"), "0"));
      writeFileSync(join(folder, "cgroup.procs"), String(pid));
      return new MemoryGroup(folder);
    } catch {
      tryTo(() => rmdirSync(folder));
      return undefined;
    }
  }

  /** Removes groups that nobody is in any more: a process takes a moment to leave its group, and a supervisor that was killed removes none. */
  #sweep(): void {
    for (const name of readdirSync(this.#base)) if (name.startsWith(runnerPrefix)) tryTo(() => rmdirSync(join(this.#base, name)));
  }
}

/** Whether, and why not, the kernel can hold runner processes to the memory of their machine here; for people. */
export function memoryGroupsHere(root: string = groupsRoot, self = "/proc/self/cgroup"): { readonly possible: boolean; readonly why: string } {
  try {
    const own = ownGroup(root, self);
    if (own === undefined) return { possible: false, why: "there is no cgroup v2" };
    if (!words(join(own, "cgroup.controllers")).includes("memory")) return { possible: false, why: "its cgroup has no memory controller" };
    const trial = join(own, `runlane-trial-${process.pid}`);
    mkdirSync(trial);
    rmdirSync(trial);
    return { possible: true, why: `its cgroup ${own} may be divided` };
  } catch {
    return { possible: false, why: "its cgroup is not this user's to divide" };
  }
}

function ownGroup(root: string, self: string): string | undefined {
  if (!existsSync(join(root, "cgroup.controllers"))) return undefined;
  const path = /^0::(.*)$/m.exec(readFileSync(self, "utf8"))?.[1];
  return path === undefined ? undefined : join(root, path);
}

function words(file: string): string[] {
  return readFileSync(file, "utf8").split(/\s+/).filter(Boolean);
}

function tryTo(change: () => void): void {
  try {
    change();
  } catch {
    // A later sweep finds it.
  }
}
