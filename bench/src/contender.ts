import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { BenchOptions } from "./options.js";
import { type AppendFsync, BullmqStage } from "./peers/bullmq-stage.js";
import { RunlaneStage } from "./stage/runlane-stage.js";
import type { Stage } from "./stage/stage.js";

/** A system under a setting of its durability. */
export interface Contender {
  readonly system: "runlane" | "bullmq";
  /** How it writes to disk, in the system's own words. */
  readonly sync: string;
  /** Makes a stage with it. */
  set(): Promise<Stage>;
}

/** Runlane itself. */
export interface Runlane extends Contender {
  readonly system: "runlane";
  set(): Promise<RunlaneStage>;
}

/** Runlane as the options want it. */
export function runlaneContender({ sync, shape }: BenchOptions): Runlane {
  return { system: "runlane", sync, set: () => RunlaneStage.set(sync, shape) };
}

/** The peers that the options name, each with all its settings. */
export function peerContenders({ peers }: BenchOptions): Contender[] {
  const settings: readonly AppendFsync[] = ["always", "everysec"];
  return peers.flatMap(() => settings.map((sync) => ({ system: "bullmq" as const, sync, set: () => BullmqStage.set(sync) })));
}

/**
 * What the peers are, in a line for people.
 *
 * @throws Error if a peer's server is not installed
 */
export function describePeers(): string {
  let redis: string;
  try {
    redis = execFileSync("redis-server", ["--version"], { encoding: "utf8" });
  } catch (error) {
    throw new Error("there is no redis-server on PATH; on Debian: apt-get install redis-server", { cause: error });
  }
  const manifest = createRequire(import.meta.url).resolve("bullmq/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8"));
  return `peer: BullMQ ${version} on redis-server ${/v=(\S+)/.exec(redis)?.[1] ?? "?"}, appendonly, appendfsync always and everysec; one worker process, concurrency 100`;
}
