import { setImmediate as nextTurn } from "node:timers/promises";
import { currentRunRuntime } from "./run-runtime.js";

/** How long a loop may go on before `yield` lets others have a turn, in milliseconds. */
const turnMs = 10;

let lastTurn = 0;

/** Signs of life of a run; named as in Trigger.dev. */
export const heartbeats = {
  /**
   * For long loops that await nothing: `await heartbeats.yield()` lets the event loop turn, so that the run counts as alive, hears its signal, and other runs of its process go
   * on. Cheap enough for each pass of a loop: the event loop turns every 10 ms only. Outside a run it does nothing.
   */
  async yield(): Promise<void> {
    if (currentRunRuntime() === undefined || performance.now() - lastTurn < turnMs) return;
    await nextTurn();
    lastTurn = performance.now();
  },
};
