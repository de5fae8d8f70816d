import { type ChildProcess, spawn } from "node:child_process";
import type { MachinePreset } from "../machine/machine-preset.js";

/** The part of a machine's memory that the JavaScript heap may have; the rest is for buffers, native code and stacks. As in Trigger.dev. */
const heapPart = 0.8;
/** That rest is not smaller than this, in MiB: what a runner needs before it has loaded a task. */
const leastRest = 96;

/** What to start a runner process from. */
export interface RunnerProgram {
  /** Its entry: `runner-main.js` of the copy of the SDK that the tasks import. */
  readonly entry: string;
  readonly manifestFile: string;
  /** Conditions of imports, besides Node's own. */
  readonly conditions?: readonly string[] | undefined;
  /** Starts a runner elsewhere than in a process of its own. Default: `spawnRunner` does. */
  readonly start?: (machine: string | undefined) => RunnerChild;
}

/** What a supervisor needs of the process that a runner is. */
export interface RunnerChild extends Pick<ChildProcess, "kill" | "pid" | "stderr" | "stdio"> {
  once(event: "error", listener: (error: Error) => void): unknown;
  once(event: "exit", listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown;
}

/** The JavaScript heap of a process on a machine, in MiB: four fifths of its memory, and 96 MiB less at least. */
function heapMib({ memoryMib }: MachinePreset): number {
  return Math.floor(Math.min(memoryMib * heapPart, memoryMib - leastRest));
}

/**
 * Starts a runner process, in the group of this one. Pipe 3 carries frames, pipe 4 nothing; stdout is this process's own, stderr comes through this process, which keeps the
 * last words. A `machine` limits its heap.
 *
 * Imports next to nothing, so that a supervisor can start its first runner before it has loaded gRPC.
 */
export function spawnRunner(program: RunnerProgram, machine?: MachinePreset): RunnerChild {
  if (program.start) return program.start(machine?.name);
  const limits = machine === undefined ? [] : [`--max-old-space-size=${heapMib(machine)}`];
  const conditions = (program.conditions ?? []).map((condition) => `--conditions=${condition}`);
  return spawn(process.execPath, ["--enable-source-maps", ...conditions, ...limits, program.entry, program.manifestFile], {
    stdio: ["ignore", "inherit", "pipe", "pipe", "pipe"],
  });
}
