import { hostCapacity, machinePreset, presetOf, type WorkerCapacity } from "@runlane/sdk/worker";
import { parseByteSize } from "./byte-size.js";
import { readArgument, usageFailure } from "./exit-code.js";

/** How somebody says what a worker may use. */
export interface CapacityOptions {
  /** Name of a preset, whose processors and memory it has. */
  machine?: string;
  /** Cores. */
  cpus?: number;
  /** A size, for instance 4GiB. */
  memory?: string;
}

/** What attempts that ask for a machine may use together; what is not said is the host's. @throws CommandFailure (usage) for what makes no sense */
export function workerCapacity({ machine, cpus, memory }: CapacityOptions, host: WorkerCapacity = hostCapacity()): WorkerCapacity {
  if (machine !== undefined) {
    if (cpus !== undefined || memory !== undefined) throw usageFailure("--machine stands for processors and memory, so --cpus and --memory do not go with it");
    const { milliCpus, memoryMib } = readArgument(() => machinePreset(presetOf("--machine", machine as Parameters<typeof presetOf>[1])))!;
    return { milliCpus, memoryMib };
  }
  return {
    milliCpus: cpus === undefined ? host.milliCpus : Math.round(cpus * 1_000),
    memoryMib: memory === undefined ? host.memoryMib : Math.floor(parseByteSize(memory) / 2 ** 20),
  };
}
