import type { Figure } from "../measurement.js";
import type { RunlaneStage } from "../stage/runlane-stage.js";
import type { Stage } from "../stage/stage.js";

/** Something that is measured: of any system, or of Runlane alone. */
export type Workload = CommonWorkload | OwnWorkload;

/** Something that can be measured of any system that runs tasks. */
export interface CommonWorkload extends Play<Stage> {
  readonly common: true;
}

/** Something that is measured of Runlane alone: what it looks into are Runlane's processes. */
export interface OwnWorkload extends Play<RunlaneStage> {
  readonly common: false;
}

interface Play<S extends Stage> {
  readonly name: string;
  /** The metrics that it tells, in order. */
  readonly metrics: readonly string[];
  /** Scenes that are measured one after the other, each on a stage of its own: fresh server, fresh data folder. */
  readonly scenes: readonly Scene<S>[];
  /** Takes minutes: measured only if it is asked for by name. Default false. */
  readonly onRequest?: boolean | undefined;
  /** The longest that a scene may take, in milliseconds. Default five minutes. */
  readonly limitMs?: number | undefined;
}

/** Plays on a stage that has a server, and returns what it has found. */
export type Scene<S extends Stage> = (stage: S) => Promise<Figure[]>;

/** A workload of one scene that any system can play. */
export function workload(name: string, metrics: readonly string[], scene: Scene<Stage>): CommonWorkload {
  return { name, metrics, scenes: [scene], common: true };
}

/** A workload of one scene that is about Runlane's processes. */
export function ownWorkload(
  name: string,
  metrics: readonly string[],
  scene: Scene<RunlaneStage>,
  cost: Pick<OwnWorkload, "onRequest" | "limitMs"> = {},
): OwnWorkload {
  return { name, metrics, scenes: [scene], common: false, ...cost };
}
