import fc from "fast-check";
import { expect, it } from "vitest";
import { pictureOf } from "../testing/durable-picture.js";
import { EngineHarness, replayed } from "../testing/engine-harness.js";
import { MemorySpill } from "../testing/memory-spill.js";
import { happening, RandomWorld } from "../testing/random-world.js";
import { audit } from "./audit.js";
import { phases } from "./phase.js";

const limits: Record<string, number> = { "task/one": 1, three: 3 };

it("whatever happens: replay gives the same state, no slot leaks, no limit is exceeded, and a final run stays final", () => {
  fc.assert(
    fc.property(fc.array(happening, { minLength: 10, maxLength: 120 }), fc.integer(), (happenings, seed) => {
      // Whatever part of the backlog is packed; the replay packs nothing.
      const harness = new EngineHarness(seed, { records: Math.abs(seed) % 5, memoryBytes: 0, spill: new MemorySpill() });
      const world = new RandomWorld(harness);
      const ended = new Map<number, string>();
      const brought = new Set<string>();
      const startedOn = new Map<number, string>();
      for (const event of happenings) {
        world.happen(event);
        expect(audit(harness.durable)).toEqual([]);
        for (const [name, limit] of Object.entries(limits)) expect(harness.environment.queues.get(name)?.held ?? 0).toBeLessThanOrEqual(limit);
        const tokens = [...harness.environment.tokens.byNumber.values()];
        const named = [...harness.durable.runs.values(), ...tokens.map(({ output }) => ({ payload: undefined, output }))].flatMap(({ payload, output }) => [
          payload?.reference,
          output?.reference,
        ]);
        for (const { output } of tokens) if (output?.reference) brought.add(output.reference);
        for (const { reference, refs } of harness.environment.payloads.values()) {
          const least = named.filter((name) => name === reference).length;
          // What a token brought to a wait is kept for the run, also when the attempt that waited is over.
          if (brought.has(reference)) expect(refs).toBeGreaterThanOrEqual(least);
          else expect(refs).toBe(least);
        }
        for (const name of named) if (name) expect(harness.environment.payloads.has(name)).toBe(true);
        for (const run of harness.durable.runs.values()) {
          // A run that has started executes on the version that it started on, unless it was let go from it.
          if (run.version === "") startedOn.delete(run.number);
          else if (run.session) {
            expect([run.number, run.session.version]).toEqual([run.number, run.version]);
            expect(startedOn.get(run.number) ?? run.version).toBe(run.version);
            if (run.attempt > 1) startedOn.set(run.number, run.version);
          }
          const state = phases[run.phase].final ? String(phases[run.phase].state) : undefined;
          const before = ended.get(run.number);
          if (before !== undefined) expect(state).toBe(before);
          else if (state !== undefined) ended.set(run.number, state);
        }
      }
      expect(pictureOf(replayed(harness.log))).toEqual(pictureOf(harness.durable));
      world.settle();
      for (const run of harness.durable.runs.values()) expect([run.number, phases[run.phase].settled]).toEqual([run.number, true]);
    }),
    { numRuns: 300 },
  );
});
