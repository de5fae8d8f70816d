import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RunSchema, RunState } from "#gen/runlane/v1/run_pb.js";
import type { WatchRequest, WatchResponseSchema } from "#gen/runlane/v1/run_service_pb.js";
import { FakeRunService } from "../testing/fake-run-service.js";
import { type FakeServer, refusalStatus } from "../testing/fake-server.js";
import { createRunlaneClient, type RunlaneClient } from "./runlane-client.js";

let service: FakeRunService;
let server: FakeServer;
let client: RunlaneClient;
/** What was asked, and how to answer. */
let streams: { request: WatchRequest; send: (response: MessageInitShape<typeof WatchResponseSchema>) => void; cancelled: boolean }[];
let refusal: ReturnType<typeof refusalStatus> | undefined;

beforeEach(async () => {
  service = new FakeRunService();
  streams = [];
  refusal = undefined;
  service.more = {
    watch: (call) =>
      call.onMessage((request) => {
        if (refusal) {
          call.end(refusal);
          refusal = undefined;
          return;
        }
        const stream = { request, send: call.send, cancelled: false };
        call.onCancel(() => {
          stream.cancelled = true;
        });
        streams.push(stream);
      }),
  };
  server = await service.start();
  client = createRunlaneClient({ baseURL: server.address, secretKey: "rl_dev_test" });
});

afterEach(async () => {
  client.close();
  await server.stop();
});

const run = (id: string, state: RunState) => ({ run: create(RunSchema, { id, state }), watchIds: [1] });

function watch(runId: string) {
  const heard: string[] = [];
  const stop = client.runWatch.watch(runId, {
    changed: ({ state }) => heard.push(RunState[state]!),
    failed: (error) => heard.push(Code[(error as { code: Code }).code]!),
  });
  return { heard, stop };
}

const opened = (count: number) =>
  expect
    .poll(() => streams.length)
    .toBe(count)
    .then(() => streams[count - 1]!);

test("those of one turn share a stream, which ends with the last of them", async () => {
  const [a, b] = [watch("run_a"), watch("run_b")];
  const stream = await opened(1);
  expect(stream.request).toMatchObject({ cursor: "", watches: [{ runIds: ["run_a", "run_b"] }] });
  stream.send({ cursor: "1", changes: [run("run_a", RunState.QUEUED), run("run_b", RunState.WAITING)] });
  await expect.poll(() => [a.heard, b.heard]).toEqual([["QUEUED"], ["WAITING"]]);
  a.stop();
  b.stop();
  await expect.poll(() => stream.cancelled).toBe(true);
});

test("a later one opens another stream from the last cursor, and is told the present; the others miss nothing", async () => {
  const a = watch("run_a");
  (await opened(1)).send({ cursor: "5", changes: [run("run_a", RunState.QUEUED)] });
  await expect.poll(() => a.heard).toEqual(["QUEUED"]);
  const b = watch("run_b");
  const second = await opened(2);
  expect(second.request).toMatchObject({
    cursor: "5",
    watches: [
      { runIds: ["run_a"], sendPresent: false },
      { runIds: ["run_b"], sendPresent: true },
    ],
  });
  await expect.poll(() => streams[0]!.cancelled).toBe(true);
  second.send({ cursor: "6", changes: [run("run_b", RunState.QUEUED), run("run_a", RunState.EXECUTING)] });
  await expect.poll(() => [a.heard.at(-1), b.heard]).toEqual(["EXECUTING", ["QUEUED"]]);
  expect(watch("run_a").heard).toEqual([]);
  a.stop();
  b.stop();
});

test("a broken stream goes on from its cursor, and a cursor that the server does not know begins anew", async () => {
  const a = watch("run_a");
  (await opened(1)).send({ cursor: "5", changes: [run("run_a", RunState.QUEUED)] });
  await expect.poll(() => a.heard).toEqual(["QUEUED"]);
  server.cut();
  expect((await opened(2)).request.cursor).toBe("5");
  refusal = refusalStatus(Code.OutOfRange, "of another log", "CURSOR_OUT_OF_RANGE");
  server.cut();
  expect((await opened(3)).request).toMatchObject({ cursor: "", watches: [{ runIds: ["run_a"], sendPresent: true }] });
  a.stop();
});

test("a run that does not exist fails alone; a refusal fails all", async () => {
  const [a, none] = [watch("run_a"), watch("run_none")];
  (await opened(1)).send({ unknownRunIds: ["run_none"] });
  await expect.poll(() => none.heard).toEqual(["NotFound"]);
  expect(a.heard).toEqual([]);
  refusal = refusalStatus(Code.InvalidArgument, "no", "INVALID_FIELD");
  server.cut();
  await expect.poll(() => a.heard).toEqual(["InvalidArgument"]);
});
