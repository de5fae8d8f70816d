import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { apply } from "../engine/apply.js";
import { createDurable, type Durable } from "../engine/durable.js";
import type { BacklogOptions } from "../engine/packed-runs.js";
import { reindex } from "../engine/reindex.js";
import { EngineHarness, replayed } from "../testing/engine-harness.js";
import { fullDurable } from "../testing/full-durable.js";
import { graphDifferences } from "../testing/graph-differences.js";
import { type Happening, happening, RandomWorld } from "../testing/random-world.js";
import { Restoration } from "./restoration.js";
import { ChunkReader, snapshotChunks } from "./snapshot-chunks.js";
import { snapshotRecords } from "./snapshot-records.js";

/** So small that records go over several chunks. */
const tinyChunks = 500;

/** What a snapshot of a state makes of it. */
function throughSnapshot(durable: Durable, backlog?: BacklogOptions): Durable {
  const reader = new ChunkReader();
  const restoration = new Restoration(backlog);
  for (const chunk of snapshotChunks(snapshotRecords(durable, { sequence: 7, mark: Uint8Array.of(1) }), tinyChunks)) {
    expect(chunk.length).toBeLessThanOrEqual(tinyChunks);
    for (const record of reader.records(chunk)) restoration.take(record);
  }
  expect(reader.whole).toBe(true);
  return restoration.finish().durable;
}

/** What a snapshot after a part of the log, and the rest of the log, lead to. */
function recovered(log: EngineHarness["log"], part: number): Durable {
  const cut = Math.floor(part * log.length);
  return replayed(log.slice(cut), throughSnapshot(replayed(log.slice(0, cut), createDurable({ records: 1 })), { records: 2 }));
}

function lived(happenings: readonly Happening[], seed: number, recover?: EngineHarness["recover"]): EngineHarness {
  const harness = new EngineHarness(seed);
  if (recover) harness.recover = recover;
  const world = new RandomWorld(harness);
  for (const each of happenings) world.happen(each);
  return harness;
}

const histories = fc.array(happening, { minLength: 10, maxLength: 150 });
const part = fc.double({ min: 0, max: 1, noNaN: true });

it("a snapshot keeps every field of every record", () => {
  expect(graphDifferences(throughSnapshot(fullDurable()), fullDurable())).toEqual([]);
});

it("whatever happens: a snapshot says the state as it is, wherever in the log it is made", () => {
  fc.assert(
    fc.property(histories, fc.integer(), (happenings, seed) => {
      const durable = createDurable({ records: 3 });
      for (const [index, { now, epoch, events }] of lived(happenings, seed).log.entries()) {
        for (const event of events) apply(durable, event, { now, epoch });
        if (index % 4 > 0) continue;
        reindex(durable);
        expect(graphDifferences(throughSnapshot(durable), durable)).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});

describe("a snapshot, and the log after it", () => {
  it("lead to the state that the whole log leads to, in every field", () => {
    fc.assert(
      fc.property(histories, fc.integer(), part, (happenings, seed, cut) => {
        const { log } = lived(happenings, seed);
        expect(graphDifferences(recovered(log, cut), replayed(log))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("lead to the same decisions: an owner that restarts from a snapshot goes on exactly as one that replays everything", () => {
    fc.assert(
      fc.property(histories, fc.integer(), part, (happenings, seed, cut) => {
        const restarting = happenings.flatMap((each, index) => (index % 17 === 16 ? [each, { kind: "restart" as const, a: 0, b: 0 }] : [each]));
        const one = lived(restarting, seed);
        const other = lived(restarting, seed, (log) => recovered(log, cut));
        expect(graphDifferences(other.log, one.log)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

it("an empty log has a snapshot, too", () => {
  expect(graphDifferences(throughSnapshot(createDurable()), createDurable())).toEqual([]);
});
