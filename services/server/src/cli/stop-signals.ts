import { constants } from "node:os";

/** The signals that ask a process to stop. */
export interface StopSignals {
  /** Aborted, with the signal's name as its reason, when the first of them comes. */
  readonly stop: AbortSignal;
  /** Resolves then. */
  readonly received: Promise<void>;
}

/**
 * Listens to SIGINT, SIGTERM and SIGHUP. The first asks to stop in order; a second one ends the process at once.
 *
 * A terminal sends Ctrl-C to the whole process group, and a parent like npm sends it on: what comes within 300 ms of the first is the same wish.
 */
export function stopSignals(): StopSignals {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const received = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (firstAt === undefined) {
          firstAt = performance.now();
          controller.abort(signal);
          resolve();
        } else if (performance.now() - firstAt > 300) process.exit(128 + constants.signals[signal]);
      });
    }
  });
  return { stop: controller.signal, received };
}
