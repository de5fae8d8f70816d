import { sleep } from "../clock.js";
import type { RunlaneStage } from "../stage/runlane-stage.js";

/** Memory is read when it has not changed for this long. */
const settledMs = 5_000;

/** Resident memory of all processes of the server, once it has stopped changing: then snapshots are written, too, for which a thread comes and goes. */
export async function settledMemory(stage: RunlaneStage): Promise<number> {
  for (let lowest = stage.serverUse().memory; ; ) {
    await sleep(settledMs);
    const { memory } = stage.serverUse();
    if (memory > lowest * 0.99 && memory < lowest * 1.01) return memory;
    lowest = memory;
  }
}
