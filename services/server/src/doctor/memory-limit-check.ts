import { memoryGroupsHere } from "@runlane/sdk/worker";
import { type Finding, ok } from "./finding.js";

/** Who holds the runner processes of a worker here to the memory of their machine. Either way is fine; people who wonder should know. */
export function checkMemoryLimits(here: ReturnType<typeof memoryGroupsHere> = memoryGroupsHere()): Finding {
  if (here.possible) return ok(`by the kernel: ${here.why}`);
  return ok(`by the worker, which looks every second: ${here.why}`);
}
