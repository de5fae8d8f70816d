import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";

/** What attempts that ask for a machine may use together. */
export interface WorkerCapacity {
  /** Processor time, in thousandths of a core. */
  readonly milliCpus: number;
  /** Memory, in MiB. */
  readonly memoryMib: number;
}

/** How much of its machine a worker takes. */
export interface WorkerRoom {
  /** What attempts that ask for a machine may use together. Default: the host. */
  readonly capacity?: WorkerCapacity | undefined;
  /** Shared runner processes at most. Default: as many as processors. */
  readonly sharedRunners?: number | undefined;
}

const mib = 2 ** 20;

/** All of this machine, or of the container: the processors that this process may use and the memory that it may have, whichever limit is lower. */
export function hostCapacity(cpuMaxFile = "/sys/fs/cgroup/cpu.max"): WorkerCapacity {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return { milliCpus: Math.min(availableParallelism() * 1_000, cpuQuota(cpuMaxFile)), memoryMib: Math.floor(memory / mib) };
}

/** The quota of this container, in thousandths of a core; older versions of Node do not look at it. */
function cpuQuota(file: string): number {
  try {
    const [quota, period] = readFileSync(file, "utf8").trim().split(" ").map(Number);
    return quota! > 0 && period! > 0 ? Math.max(1, Math.floor((quota! * 1_000) / period!)) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
