import type { Contender } from "./contender.js";
import { type Figure, medianFigure } from "./measurement.js";
import type { Stage } from "./stage/stage.js";
import type { Scene } from "./workloads/workload.js";

/** The longest that a scene may take, unless its workload says otherwise. */
const defaultLimitMs = 300_000;

/** A contender, and what was found of it. */
export interface Found<C extends Contender> {
  readonly contender: C;
  /** Medians, one a metric. */
  readonly figures: Figure[];
}

/**
 * Plays the scenes of a workload with each contender, `runs` times, each time from scratch. Contenders take turns, so that what the machine does meanwhile does it to all of them.
 *
 * @throws Error if a scene fails, a program ends that should not, a scene takes longer than `limitMs` (default five minutes), or `stop` is aborted
 */
export async function measure<S extends Stage, C extends Contender & { set(): Promise<S> }>(
  scenes: readonly Scene<S>[],
  contenders: readonly C[],
  runs: number,
  stop: AbortSignal,
  limitMs = defaultLimitMs,
): Promise<Found<C>[]> {
  const found: Found<C>[] = contenders.map((contender) => ({ contender, figures: [] }));
  for (const scene of scenes) {
    const results: Figure[][][] = contenders.map(() => []);
    for (let run = 0; run < runs; run++) {
      for (const [index, contender] of contenders.entries()) results[index]!.push(await play(scene, contender, stop, limitMs));
    }
    for (const [index, { figures }] of found.entries()) {
      const ofRuns = results[index]!;
      figures.push(...ofRuns[0]!.map((_, metric) => medianFigure(ofRuns.map((figuresOfRun) => figuresOfRun[metric]!))));
    }
  }
  return found;
}

async function play<S extends Stage>(scene: Scene<S>, contender: { set(): Promise<S> }, stop: AbortSignal, limitMs: number): Promise<Figure[]> {
  stop.throwIfAborted();
  const stage = await contender.set();
  let timer: NodeJS.Timeout | undefined;
  let stopped = () => {};
  const over = new Promise<never>((_, fail) => {
    stopped = () => fail(stop.reason);
    stop.addEventListener("abort", stopped);
    timer = setTimeout(() => fail(new Error(`not done after ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return await Promise.race([scene(stage), stage.mishap, over]);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", stopped);
    await stage.clear();
  }
}
