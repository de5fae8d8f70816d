import type { Failure } from "#gen/runlane/v1/payload_pb.js";
import { describeMachine, type MachinePreset } from "../machine/machine-preset.js";
import { internalFailure } from "./failure.js";

/** How a runner process ended. */
export interface RunnerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote to stderr. */
  readonly lastWords: string;
  /** The kernel killed something in its group for want of memory. */
  readonly oomKilled: boolean;
  /** Undefined if it had none. */
  readonly machine: MachinePreset | undefined;
}

/** What V8 says when its heap is full. */
const heapFull = /JavaScript heap out of memory|Reached heap limit/;

/** What the attempts of a process that ended died of, by its exit status and its last words. */
export function exitFailure({ code, signal, lastWords, oomKilled, machine }: RunnerExit): Failure {
  if (heapFull.test(lastWords)) return outOfMemoryFailure("the JavaScript heap of the attempt's process was full", machine);
  if (oomKilled) return outOfMemoryFailure("the attempt's process was killed by the kernel, because it needed more memory than its machine has", machine);
  switch (signal) {
    case "SIGKILL":
      return internalFailure("TASK_PROCESS_MAYBE_OOM_KILLED", `the attempt's process was killed (SIGKILL), perhaps because memory ran out. ${advice(machine)}`);
    case "SIGTERM":
      return internalFailure("TASK_PROCESS_SIGTERM", "the attempt's process was told to end (SIGTERM)");
    case "SIGSEGV":
      return internalFailure("TASK_PROCESS_SIGSEGV", "the attempt's process broke down in native code (SIGSEGV)");
    default: {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      return internalFailure("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", `the attempt's process ended ${how}`);
    }
  }
}

/** An attempt whose memory ran out: `how` says how that was seen. */
export function outOfMemoryFailure(how: string, machine: MachinePreset | undefined): Failure {
  return internalFailure("TASK_PROCESS_OOM_KILLED", `out of memory: ${how}. ${advice(machine)}`);
}

function advice(machine: MachinePreset | undefined): string {
  if (machine === undefined) return "Its task has no machine; give it one that is large enough.";
  return `Its machine is ${describeMachine(machine)}; give the task a larger one, or name one in retry.outOfMemory.machine.`;
}
