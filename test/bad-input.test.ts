import { PendingReason, RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { TaskService } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import { ResultDisposition, WorkerService } from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./support/eventually.js";
import { jsonPayload, jsonValue } from "./support/json-payload.js";
import { type Refusal, refusalOf, Stranger } from "./support/stranger.js";
import { shapes, TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

// What strangers send by mistake or malice. Nothing of it may harm the server: every test ends with a call that works.
let server: TestServer;
let stranger: Stranger;

const { triggerTasks, triggerStream, triggerAndWait, getRun, cancelRun } = RunService.method;
const { listTasks } = TaskService.method;
const { work } = WorkerService.method;
const garbage = Uint8Array.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02]);
const tooLarge = { data: new TextEncoder().encode(`"${"x".repeat(128 * 1024)}"`) };

describe.each(shapes)("in shape %s", (shape) => {
  beforeAll(async () => {
    server = await TestServer.start({ shape, onCleanUp: afterAll });
    stranger = new Stranger(server.address, server.secretKey, afterAll, server.workerAddress);
  });

  async function outcomeOf(item: { taskId: string; payload?: { data: Uint8Array; contentType?: string } }): Promise<Refusal | string> {
    const { outcomes } = await stranger.call(triggerTasks, { requestId: "", items: [item] });
    const outcome = outcomes[0]?.outcome;
    return outcome?.case === "error" ? refusalOf(outcome.value) : (outcome?.value ?? "none");
  }

  async function runOf(runId: string) {
    const { run } = await stranger.call(getRun, { runId });
    if (!run) throw new Error(`GetRun answered no run for ${runId}`);
    return run;
  }

  describe("keys", () => {
    const methods = [
      ["a unary call", (client: Stranger) => client.refused(getRun, { runId: "run_1" })],
      [
        "a server stream",
        (client: Stranger) =>
          client.collect(triggerAndWait, { item: { taskId: "echo" } }).then(
            () => undefined,
            (refusal: Refusal) => refusal,
          ),
      ],
      ["the trigger stream", (client: Stranger) => client.stream(triggerStream).ended],
      ["the work stream", (client: Stranger) => client.stream(work).ended],
    ] as const;

    test.each(methods)("without a key, %s is refused", async (_, attempt) => {
      expect(await attempt(new Stranger(server.address, undefined, undefined, server.workerAddress))).toMatchObject({
        code: "UNAUTHENTICATED",
        reason: "MISSING_KEY",
        domain: "runlane.dev",
      });
    });

    test.each(methods)("with a wrong key, %s is refused", async (_, attempt) => {
      const refusal = await attempt(new Stranger(server.address, `${server.secretKey}x`, undefined, server.workerAddress));
      expect(refusal).toMatchObject({ code: "UNAUTHENTICATED", reason: "INVALID_KEY", domain: "runlane.dev" });
      expect(refusal?.message).not.toContain(server.secretKey);
    });
  });

  describe("runs", () => {
    test("an unknown run is NOT_FOUND, to read and to cancel", async () => {
      expect(await stranger.refused(getRun, { runId: "run_nobody" })).toMatchObject({ code: "NOT_FOUND", reason: "RUN_NOT_FOUND" });
      expect(await stranger.refused(cancelRun, { runId: "run_nobody" })).toMatchObject({ code: "NOT_FOUND", reason: "RUN_NOT_FOUND" });
    });

    test("a text that cannot be a run id is INVALID_ARGUMENT or NOT_FOUND, never INTERNAL", async () => {
      for (const runId of ["", " ", "run_\u0000", "../../etc", "x".repeat(100_000), "💥"]) {
        expect((await stranger.refused(getRun, { runId })).code).toMatch(/^(INVALID_ARGUMENT|NOT_FOUND)$/);
      }
    });

    test("watching a run that does not exist says so", async () => {
      const stream = stranger.stream(triggerStream);
      stream.send({ frame: { case: "watch", value: { runIds: ["run_nobody"] } } });
      const results = await eventually("an answer to the watch", () => stream.received.find((message) => message.frame.case === "results"));
      expect(results.frame.value).toMatchObject({ results: [], unknownRunIds: ["run_nobody"] });
      stream.cancel();
    });

    test("a run of a task that nobody has waits, says why, and runs once a worker brings the task", async () => {
      const runId = await outcomeOf({ taskId: "echo", payload: jsonPayload("patience") });
      expect(runId).toEqual(expect.stringMatching(/^run_/));
      expect(await runOf(runId as string)).toMatchObject({
        state: RunState.PENDING_VERSION,
        pendingReason: PendingReason.UNKNOWN_TASK,
      });

      const worker = new TestWorker(server, "tasks");
      const run = await worker.program.until("the run completes", async () => {
        const now = await runOf(runId as string);
        return now.state === RunState.COMPLETED && now;
      });
      expect(jsonValue(run.output)).toBe("patience");

      // And now it cannot be cancelled any more.
      expect(await stranger.refused(cancelRun, { runId: run.id })).toMatchObject({ code: "FAILED_PRECONDITION", reason: "RUN_FINISHED" });
      expect((await runOf(run.id)).state).toBe(RunState.COMPLETED);
    });
  });

  describe("payloads", () => {
    test.each([
      ["text that is no JSON", "{not json"],
      ["two values", "1 2"],
      ["bytes that are no UTF-8", Uint8Array.from([0x22, 0xff, 0x22])],
    ])("%s is PAYLOAD_NOT_JSON", async (_, content) => {
      const data = typeof content === "string" ? new TextEncoder().encode(content) : content;
      const refused = { code: "INVALID_ARGUMENT", reason: "PAYLOAD_NOT_JSON" };
      expect(await outcomeOf({ taskId: "echo", payload: { data } })).toMatchObject(refused);
      await expect(stranger.collect(triggerAndWait, { item: { taskId: "echo", payload: { data } } })).rejects.toMatchObject(refused);
    });

    test("more than 128 KiB is PAYLOAD_TOO_LARGE", async () => {
      const refused = { code: "RESOURCE_EXHAUSTED", reason: "PAYLOAD_TOO_LARGE" };
      expect(await outcomeOf({ taskId: "echo", payload: tooLarge })).toMatchObject(refused);
      await expect(stranger.collect(triggerAndWait, { item: { taskId: "echo", payload: tooLarge } })).rejects.toMatchObject(refused);
    });

    test("a bad item does not stop the good ones beside it", async () => {
      const { outcomes } = await stranger.call(triggerTasks, {
        requestId: "",
        items: [{ taskId: "nobody-has-this" }, { taskId: "echo", payload: tooLarge }, { taskId: "not a task id!" }, { taskId: "nobody-has-this" }],
      });
      expect(outcomes.map((outcome) => outcome.outcome.case)).toEqual(["runId", "error", "error", "runId"]);
      expect(outcomes[2]?.outcome.case === "error" && refusalOf(outcomes[2].outcome.value)).toMatchObject({
        code: "INVALID_ARGUMENT",
        reason: "INVALID_FIELD",
        fields: ["items[2].task_id"],
      });
    });
  });

  describe("frames", () => {
    test("a call with no items, or too many, is refused and names the field", async () => {
      for (const count of [0, 501]) {
        const items = Array.from({ length: count }, () => ({ taskId: "echo" }));
        expect(await stranger.refused(triggerTasks, { items })).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD", fields: ["items"] });
      }
    });

    test("a page size below zero and an invented page token are refused", async () => {
      expect(await stranger.refused(listTasks, { pageSize: -1 })).toMatchObject({ code: "INVALID_ARGUMENT", fields: ["page_size"] });
      expect(await stranger.refused(listTasks, { pageToken: "invented" })).toMatchObject({ code: "INVALID_ARGUMENT", fields: ["page_token"] });
    });

    test("bytes that are no message are MALFORMED_FRAME", async () => {
      const refused = { code: "INVALID_ARGUMENT", reason: "MALFORMED_FRAME" };
      expect(await stranger.refused(triggerTasks, garbage)).toMatchObject(refused);
      for (const stream of [stranger.stream(triggerStream), stranger.stream(work)]) {
        stream.send(garbage);
        expect(await stream.ended).toMatchObject(refused);
      }
    });

    test("an unknown kind of frame is ignored, and the stream goes on", async () => {
      const stream = stranger.stream(triggerStream);
      stream.send(Uint8Array.from([0xfa, 0x3e, 0x01, 0x00])); // Field 1007, one byte long.
      stream.send({ frame: { case: "trigger", value: { requestId: "after", items: [{ taskId: "nobody-has-this" }] } } });
      const answer = await eventually("an answer to the trigger", () => stream.received[0]);
      expect(answer.frame).toMatchObject({ case: "outcomes", value: { requestId: "after" } });
      stream.cancel();
    });

    test("a frame of the trigger stream that breaks a rule is answered by an error, and the stream goes on", async () => {
      const stream = stranger.stream(triggerStream);
      stream.send({ frame: { case: "trigger", value: { requestId: "empty", items: [] } } });
      stream.send({ frame: { case: "trigger", value: { requestId: "good", items: [{ taskId: "nobody-has-this" }] } } });
      const answers = await eventually("two answers", () => stream.received.length === 2 && stream.received);
      const byRequest = new Map(
        answers.map(({ frame }) => [frame.case === "outcomes" ? frame.value.requestId : "", frame.case === "outcomes" ? frame.value : undefined]),
      );
      const error = byRequest.get("empty")?.error;
      expect(error && refusalOf(error)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD", fields: ["items"] });
      expect(byRequest.get("good")?.outcomes[0]?.outcome.case).toBe("runId");
      stream.cancel();
    });

    test("a worker that does not begin with Hello is refused", async () => {
      const stream = stranger.stream(work);
      stream.send({ heartbeat: { sequence: 1n } });
      expect((await stream.ended)?.code).toBe("INVALID_ARGUMENT");
    });

    test("a worker without slots or without a name is refused", async () => {
      for (const hello of [
        { protocolRevision: 1, workerId: "", incarnation: 1n, slots: 1 },
        { protocolRevision: 1, workerId: "no-slots", incarnation: 1n, slots: 0 },
      ]) {
        const stream = stranger.stream(work);
        stream.send({ hello });
        expect(await stream.ended).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
      }
    });

    test("a result with an invented token is STALE and changes nothing", async () => {
      const stream = stranger.stream(work);
      stream.send({ hello: { protocolRevision: 1, workerId: "liar", incarnation: 1n, slots: 1 } });
      await eventually("a welcome", () => stream.received.some((message) => message.welcome));
      for (const token of [new Uint8Array(0), new Uint8Array(8), new Uint8Array(1_000).fill(7)]) {
        stream.send({ results: [{ token, outcome: { case: "output", value: jsonPayload("a lie") } }] });
      }
      const receipts = await eventually("three receipts", () => {
        const all = stream.received.flatMap((message) => message.receipts);
        return all.length === 3 && all;
      });
      expect(receipts.map((receipt) => receipt.disposition)).toEqual(Array(3).fill(ResultDisposition.STALE));
      stream.close();
    });

    test("after all that, the server still serves", async () => {
      expect(server.program.running).toBe(true);
      expect(await outcomeOf({ taskId: "nobody-has-this" })).toEqual(expect.stringMatching(/^run_/));
    });
  });
});
