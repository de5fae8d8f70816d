import { create } from "@bufbuild/protobuf";
import { EventSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { expect, it } from "vitest";
import { eventCountOf } from "./event-count.js";

it("counts each run that a request creates, so that snapshots do not come late after large batches", () => {
  const created = (runs: number) =>
    create(EventSchema, { event: { case: "runsCreated", value: { runs: Array.from({ length: runs }, () => ({ taskId: "a" })) } } });
  const returned = create(EventSchema, { event: { case: "runReturned", value: { run: 1n } } });
  expect([[], [returned, returned], [created(500), returned], [created(1)], [created(0)]].map(eventCountOf)).toEqual([0, 2, 501, 1, 1]);
});
