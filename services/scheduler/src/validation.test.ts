import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import { TriggerItemSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { describe, expect, test } from "vitest";
import { checkItems, frameBytes, frameFault, looksLikeRunId, runIdFault } from "./validation.js";

const item = (init: MessageInitShape<typeof TriggerItemSchema>) => create(TriggerItemSchema, init);
const json = (text: string) => ({ data: Buffer.from(text) });
const fields = (error: ConnectError | undefined) => error?.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field);
const check = (request: Parameters<typeof frameFault>[0], requestIdRequired = true) => frameFault(request, frameBytes(request.items), requestIdRequired);

describe("a frame", () => {
  const items = [item({ taskId: "t" })];

  test("has a request id of 1 to 64 characters; a call may have none", () => {
    expect(check({ requestId: "r".repeat(64), items })).toBeUndefined();
    expect(fields(check({ requestId: "r".repeat(65), items }))).toEqual(["request_id"]);
    expect(fields(check({ requestId: "", items }))).toEqual(["request_id"]);
    expect(check({ requestId: "", items }, false)).toBeUndefined();
  });

  test("has 1 to 500 items", () => {
    expect(fields(check({ requestId: "r", items: [] }))).toEqual(["items"]);
    expect(check({ requestId: "r", items: Array(500).fill(items[0]) })).toBeUndefined();
    expect(fields(check({ requestId: "r", items: Array(501).fill(items[0]) }))).toEqual(["items"]);
  });

  test("has at most 512 KiB; a payload too large by itself is its item's fault alone", () => {
    const large = item({ taskId: "t", payload: json(`"${"x".repeat(125_000)}"`) });
    const tooLarge = item({ taskId: "t", payload: json(`"${"x".repeat(600_000)}"`) });
    expect(check({ requestId: "r", items: [large, large, large, large] })).toBeUndefined();
    expect(check({ requestId: "r", items: [large, large, large, large, tooLarge] })).toBeUndefined();
    expect(fields(check({ requestId: "r", items: [large, large, large, large, large] }))).toEqual(["items"]);
  });

  test("awaits results of its own items", () => {
    expect(check({ requestId: "r", items, awaitResults: [0] })).toBeUndefined();
    expect(fields(check({ requestId: "r", items, awaitResults: [0, 1] }))).toEqual(["await_results[1]"]);
  });

  test("keeps its valid items apart from the others", () => {
    const bad = item({ taskId: "" });
    const { valid, faults } = checkItems([bad, items[0]!, bad]);
    expect(valid).toEqual(items);
    expect([...faults!.keys()]).toEqual([0, 2]);
    expect(fields(faults!.get(2))).toEqual(["items[2].task_id"]);
  });
});

test("a run id that no owner could have made is INVALID_ARGUMENT; whether the run exists is another question", () => {
  expect(runIdFault("run_1")).toBeUndefined();
  expect(runIdFault("something-else")).toBeUndefined();
  for (const runId of ["", "run 1", "run_ü", "r".repeat(129)]) {
    expect(looksLikeRunId(runId)).toBe(false);
    expect(fields(runIdFault(runId))).toEqual(["run_id"]);
  }
});
