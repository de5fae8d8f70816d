import { Code } from "@connectrpc/connect";
import { beforeEach, describe, expect, test } from "vitest";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { type ApiError, BatchTriggerError, NotFoundError, type RateLimitError, runs, task } from "../index.js";
import type { FakeRunService } from "../testing/fake-run-service.js";
import { failureOf, refusalStatus } from "../testing/fake-server.js";
import { serveRuns } from "../testing/served-runs.js";

const echo = task({ id: "echo", run: async (payload: string) => payload });
const large = "x".repeat(200_000);
const small = "y".repeat(1_000);

let service: FakeRunService;
const served = serveRuns((given) => {
  service = given;
});

const sent = (runId: string) => service.runs.get(runId)!.item.payload!;

test("a payload of more than 128 KiB is stored first, and the trigger names it", async () => {
  const { id } = await echo.trigger(large);
  expect(sent(id).data).toHaveLength(0);
  expect(sent(id).contentType).toBe("application/json");
  expect(service.payloads.value(sent(id).reference)).toBe(large);
});

test("one of up to 128 KiB travels with its trigger", async () => {
  const { id } = await echo.trigger("x".repeat(131_070));
  expect([sent(id).data.length, sent(id).reference, service.payloads.puts]).toEqual([131_072, undefined, 0]);
});

test("one of more than 10 MiB is an error before anything is sent", async () => {
  const error = await failureOf<ApiError>(echo.trigger("x".repeat(10_485_759)));
  expect([error.status, error.reason]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  expect(error.message).toContain("10485761 bytes as JSON, and at most 10485760");
  expect([service.payloads.puts, service.frames]).toEqual([0, []]);
});

test("a result of more than 128 KiB is got from the store", async () => {
  const result = await echo.triggerAndWait(large);
  expect(result).toMatchObject({ ok: true, output: large });
});

test("a batch stores what is large, and keeps its order", async () => {
  const { runs: handles } = await echo.batchTrigger([{ payload: small }, { payload: large }, { payload: small }, { payload: large }]);
  const values = handles.map(({ id }) => (sent(id).reference ? service.payloads.value(sent(id).reference) : JSON.parse(Buffer.from(sent(id).data).toString())));
  expect(values).toEqual([small, large, small, large]);
  const { runs: results } = await echo.batchTriggerAndWait([{ payload: large }, { payload: small }]);
  expect(results.map((result) => result.ok && result.output)).toEqual([large, small]);
});

describe("when the store refuses", () => {
  beforeEach(() => {
    service.payloads.refuse = (call) => (call === "put" ? refusalStatus(Code.ResourceExhausted, "the store is full", "LOG_FULL") : undefined);
  });

  test("the trigger fails with what it says", async () => {
    const error = await failureOf<RateLimitError>(echo.trigger(large));
    expect([error.status, error.reason]).toEqual([429, "LOG_FULL"]);
    expect(service.frames).toEqual([]);
  });

  test("a batch is not begun", async () => {
    const error = await failureOf<BatchTriggerError>(echo.batchTrigger([{ payload: small }, { payload: large }]));
    expect(error).toBeInstanceOf(BatchTriggerError);
    expect(error).toMatchObject({ phase: "offload", itemCount: 2, isRateLimited: true });
    expect(service.frames).toEqual([]);
  });

  test("an item of a batch that is waited for fails alone", async () => {
    const { runs: results } = await echo.batchTriggerAndWait([{ payload: large }, { payload: small }]);
    expect(results.map(({ ok }) => ok)).toEqual([false, true]);
  });
});

test("a result whose output is gone is an error that says so", async () => {
  service.run = () => ({ state: RunState.COMPLETED, output: { contentType: "application/json", reference: "pay_gone" } });
  const error = await failureOf<NotFoundError>(echo.triggerAndWait(small));
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error.reason).toBe("PAYLOAD_NOT_FOUND");
});

test("runs.retrieve and runs.poll show payload and output, wherever they are", async () => {
  const { id } = await echo.trigger(large);
  service.more = {
    getRun: (call) =>
      call.onMessage(({ runId }) => {
        const { item, result } = service.runs.get(runId)!;
        call.send({ run: { id: runId, taskId: item.taskId, state: RunState.COMPLETED, payload: item.payload, output: result?.output } });
        call.end();
      }),
  };
  await served.stop();
  await served.start();
  expect(await runs.retrieve<typeof echo>(id)).toMatchObject({ payload: large, output: large });
});
