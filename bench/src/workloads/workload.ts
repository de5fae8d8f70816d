import type { Figure } from "../measurement.js";
import type { Stage } from "../stage/stage.js";

/** Something that is measured. */
export interface Workload {
  readonly name: string;
  /** The metrics that it tells, in order. */
  readonly metrics: readonly string[];
  /** Scenes that are measured one after the other, each on a stage of its own: fresh server, fresh data folder. */
  readonly scenes: readonly Scene[];
}

/** Plays on a stage that has a server, and returns what it has found. */
export type Scene = (stage: Stage) => Promise<Figure[]>;

/** A workload of one scene. */
export function workload(name: string, metrics: readonly string[], scene: Scene): Workload {
  return { name, metrics, scenes: [scene] };
}
