import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { bundle, playAll } from "./bundle.js";

// docs/simulation.md says what is played, what is checked, and how to play more.
const seeds = Number(process.env.RUNLANE_TEST_SEEDS ?? 5_000);
const commands = Number(process.env.RUNLANE_TEST_COMMANDS ?? 60);
const only = process.env.RUNLANE_TEST_SEED;

const folder = await mkdtemp(join(tmpdir(), "runlane-simulation-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

it(`in ${only ? `the history of seed ${only}` : `${seeds} histories`} the engine keeps its promises`, { timeout: 24 * 3_600_000 }, async () => {
  const program = await bundle(join(folder, "simulation.mjs"));
  const began = performance.now();
  const order = only ? { first: Number(only), seeds: 1 } : { first: 1, seeds };
  const { played, events, failures } = await playAll(program, { ...order, commands, failures: 1 });
  expect(failures.join("\n\n")).toBe("");
  expect(played).toBe(order.seeds);
  // A world in which nothing happens would prove nothing.
  if (!only) expect(events / played).toBeGreaterThan(50);
  process.stdout.write(`${played} histories, ${Math.round(events / played)} events each, ${((performance.now() - began) / 1_000).toFixed(1)} s\n`);
});
