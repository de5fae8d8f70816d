import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, expectTypeOf, test } from "vitest";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { runs } from "../index.js";
import { periodMs } from "../time/period.js";
import { CursorPage } from "./cursor-page.js";
import { type ListedRun, listRequest, pageRequest, shownToken } from "./run-list.js";

describe("options become the contract's filter", () => {
  test.each([
    [{ status: "FAILED" }, { states: [RunState.FAILED] }],
    [{ status: ["QUEUED", "EXECUTING"] }, { states: [RunState.QUEUED, RunState.EXECUTING] }],
    [
      { taskIdentifier: "a", version: ["1", "2"] },
      { taskIds: ["a"], versions: ["1", "2"] },
    ],
    [{ queue: [{ type: "task", name: "a" }, { type: "custom", name: "b" }, "c"] }, { queues: ["task/a", "b", "c"] }],
    [
      { from: new Date(5_000), to: 9_000 },
      { createTimeFrom: timestampFromMs(5_000), createTimeTo: timestampFromMs(9_000) },
    ],
    [{ period: "1m" }, { createTimeFrom: timestampFromMs(40_000), createTimeTo: undefined }],
  ] as const)("%j", (options, filter) => {
    expect(listRequest(options as never, 100_000).filter).toMatchObject(filter);
  });

  test("batches and tests", () => {
    expect(listRequest({ batch: "batch_1", isTest: false }).filter).toMatchObject({ batchIds: ["batch_1"], test: false });
    expect(listRequest({ batch: ["batch_1", "batch_2"] }).filter).toMatchObject({ batchIds: ["batch_1", "batch_2"], test: undefined });
  });

  test("what has no meaning so far is refused, and so is a status that is none", () => {
    expect(() => listRequest({ region: "x", schedule: "s" } as never)).toThrow("runs.list: not yet supported: region, schedule");
    expect(() => listRequest({ status: "DONE" } as never)).toThrow("DONE");
  });
});

test("a place is a run's id or a page's token, and another page keeps the filter", () => {
  const request = listRequest({ after: "run_1", status: "FAILED" });
  expect(request).toMatchObject({ afterRunId: "run_1" });
  expect(pageRequest(request, shownToken("abc")!)).toMatchObject({ filter: request.filter, afterRunId: "", beforeRunId: "", pageToken: "abc" });
  expect(listRequest({ before: "run_1" })).toMatchObject({ beforeRunId: "run_1" });
});

test.each([
  ["30m", 1_800_000],
  ["1h30m", 5_400_000],
  ["7d", 604_800_000],
  ["2w", 1_209_600_000],
])("period %s", (text, ms) => expect(periodMs(text)).toBe(ms));

test.each(["", "7", "d", "1.5h", "7 d"])("%j is no period", (text) => expect(() => periodMs(text)).toThrow("is not a period"));

test("iterating over a page goes on over the pages behind it", async () => {
  const pages: Record<string, CursorPage<number>> = {};
  const fetch = async (token: string) => pages[token]!;
  pages.c = new CursorPage([5], { previous: "b" }, fetch);
  pages.b = new CursorPage([3, 4], { next: "c", previous: "a" }, fetch);
  pages.a = new CursorPage([1, 2], { next: "b" }, fetch);
  const items = [];
  for await (const item of pages.a) items.push(item);
  expect(items).toEqual([1, 2, 3, 4, 5]);
  expect(await pages.c.getPreviousPage()).toBe(pages.b);
  await expect(pages.c.getNextPage()).rejects.toThrow("there is no next page");
});

test("types are Trigger.dev's", () => {
  expectTypeOf(runs.list).returns.resolves.toEqualTypeOf<CursorPage<ListedRun>>();
  expectTypeOf<ListedRun>().not.toHaveProperty("payload");
  expectTypeOf(runs.subscribeToRun).returns.toHaveProperty("unsubscribe");
});
