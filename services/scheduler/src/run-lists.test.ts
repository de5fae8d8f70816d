import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions, Client } from "@connectrpc/connect";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { reasonOf } from "@runlane/platform";
import { type FindRunsRequest, HistoryService, PageSide } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { ListRunsRequestSchema } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { expect, test } from "vitest";
import type { HistoryCall, OwnerClient } from "./owner-client.js";
import { listRuns } from "./run-lists.js";

/** A history of run_9 to run_1, two on a page. */
function setup() {
  const asked: FindRunsRequest[] = [];
  const transport = createRouterTransport(({ service }) =>
    service(HistoryService, {
      findRuns(request) {
        asked.push(request);
        const pivot = request.pivotRunId ? Number(request.pivotRunId.slice(4)) : 10;
        const numbers = request.side === PageSide.NEWER ? [pivot + 2, pivot + 1] : [pivot - 1, pivot - 2];
        const within = numbers.filter((number) => number >= 1 && number <= 9);
        const more = request.side === PageSide.NEWER ? pivot + 2 < 9 : pivot - 2 > 1;
        return { runs: within.map((number) => create(RunSchema, { id: `run_${number}` })), more };
      },
    }),
  );
  const history: Client<typeof HistoryService> = createClient(HistoryService, transport);
  const owner = { callHistory: <T>(call: HistoryCall<T>) => call(history, {} as CallOptions) } as unknown as OwnerClient;
  const list = (request: MessageInitShape<typeof ListRunsRequestSchema>) => listRuns(owner, "dev", create(ListRunsRequestSchema, request), {});
  return { asked, list };
}

const idsOf = ({ runs }: { runs: readonly { id: string }[] }) => runs.map(({ id }) => id);

test("pages lead to their neighbours, and the ends to none", async () => {
  const { list } = setup();
  const first = await list({});
  expect([idsOf(first), first.previousPageToken]).toEqual([["run_9", "run_8"], ""]);
  const second = await list({ pageToken: first.nextPageToken });
  expect(idsOf(second)).toEqual(["run_7", "run_6"]);
  expect(idsOf(await list({ pageToken: second.previousPageToken }))).toEqual(["run_9", "run_8"]);
  expect(await list({ afterRunId: "run_3" })).toMatchObject({ nextPageToken: "" });
});

test("a token belongs to its list", async () => {
  const { list } = setup();
  const { nextPageToken } = await list({ filter: { states: [RunState.FAILED] } });
  expect(await list({ pageToken: nextPageToken }).catch(reasonOf)).toBe("INVALID_FIELD");
});

test("sizes and positions are passed on within their limits", async () => {
  const { asked, list } = setup();
  await list({});
  await list({ pageSize: 1_000, logPosition: "0000000000z" });
  expect(asked.map(({ limit, logSequence }) => [limit, logSequence])).toEqual([
    [25, 0n],
    [100, 35n],
  ]);
});

test.each([
  [{ pageSize: -1 }],
  [{ afterRunId: "run_1", beforeRunId: "run_2" }],
  [{ filter: { states: [RunState.UNSPECIFIED] } }],
  [{ filter: { taskIds: Array(101).fill("a") } }],
  [{ filter: { parentRunId: "no id!" } }],
  [{ logPosition: "soon" }],
  [{ afterRunId: "no id!" }],
])("%j is refused", async (request) => {
  expect(await setup().list(request).catch(reasonOf)).toBe("INVALID_FIELD");
});
