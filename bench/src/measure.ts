import { type Figure, medianFigure } from "./measurement.js";
import type { BenchOptions } from "./options.js";
import { Stage } from "./stage/stage.js";
import type { Scene, Workload } from "./workloads/workload.js";

/** The longest that a scene may take. */
const limitMs = 300_000;

/**
 * Measures a workload as often as the options say, each time from scratch.
 *
 * @returns medians
 * @throws Error if a scene fails, a program ends that should not, a scene takes longer than five minutes, or `stop` is aborted
 */
export async function measure(workload: Workload, { sync, runs }: BenchOptions, stop: AbortSignal): Promise<Figure[]> {
  const found: Figure[] = [];
  for (const scene of workload.scenes) {
    const results: Figure[][] = [];
    for (let run = 0; run < runs; run++) results.push(await play(scene, sync, stop));
    found.push(...results[0]!.map((_, index) => medianFigure(results.map((figures) => figures[index]!))));
  }
  return found;
}

async function play(scene: Scene, sync: BenchOptions["sync"], stop: AbortSignal): Promise<Figure[]> {
  stop.throwIfAborted();
  const stage = await Stage.set(sync);
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, fail) => {
    stop.addEventListener("abort", () => fail(stop.reason));
    timer = setTimeout(() => fail(new Error(`not done after ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return await Promise.race([scene(stage), stage.mishap, over]);
  } finally {
    clearTimeout(timer);
    await stage.clear();
  }
}
