import { type ChildProcess, spawn } from "node:child_process";

/** Memory of Trigger.dev's machine presets, in MiB. */
const machineMemory: Record<string, number> = {
  micro: 256,
  "small-1x": 512,
  "small-2x": 1_024,
  "medium-1x": 2_048,
  "medium-2x": 4_096,
  "large-1x": 8_192,
  "large-2x": 16_384,
};
/** The part of a machine's memory that the JavaScript heap may have; the rest is for buffers, native code and stacks. */
const heapPart = 0.8;

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

/**
 * Starts a runner process, in the group of this one. Pipe 3 carries frames, pipe 4 nothing; stdout is this process's own, stderr comes through this process, which keeps the
 * last words. A known `machine` limits its heap.
 *
 * Imports next to nothing, so that a supervisor can start its first runner before it has loaded gRPC.
 */
export function spawnRunner(program: RunnerProgram, machine?: string): RunnerChild {
  if (program.start) return program.start(machine);
  const memory = machine === undefined ? undefined : machineMemory[machine];
  const limits = memory === undefined ? [] : [`--max-old-space-size=${Math.floor(memory * heapPart)}`];
  const conditions = (program.conditions ?? []).map((condition) => `--conditions=${condition}`);
  return spawn(process.execPath, ["--enable-source-maps", ...conditions, ...limits, program.entry, program.manifestFile], {
    stdio: ["ignore", "inherit", "pipe", "pipe", "pipe"],
  });
}
