import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { refusal, statusOf } from "@runlane/platform";
import { FailureKind } from "@runlane/sdk/gen/runlane/v1/payload_pb.js";
import { PendingReason, RunSchema, RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import type { TriggerAndWaitRequest, TriggerTasksRequest } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { describe, expect, test } from "vitest";
import { runlane } from "../testing/command-double.js";

const start = Date.UTC(2026, 10, 23, 15, 0, 0);
const at = (ms: number) => timestampFromMs(start + ms);
const json = (value: unknown) => ({ data: Buffer.from(JSON.stringify(value)) });
const run = (init: MessageInitShape<typeof RunSchema>) =>
  create(RunSchema, { id: "run_1", taskId: "hello", queue: "task/hello", maxAttempts: 3, createTime: at(0), ...init });
const queued = run({ state: RunState.QUEUED, pendingReason: PendingReason.NO_WORKER });
const executing = run({ state: RunState.EXECUTING, attemptCount: 1, startTime: at(3) });
const completed = run({
  state: RunState.COMPLETED,
  attemptCount: 1,
  startTime: at(3),
  finishTime: at(15),
  payload: json({ name: "you" }),
  output: json({ greeting: "hi" }),
});
const failed = run({
  state: RunState.FAILED,
  attemptCount: 3,
  finishTime: at(2_500),
  failure: { kind: FailureKind.ERROR, name: "TypeError", message: "x is not a function", stackTrace: "TypeError: x is not a function\n    at f (a.ts:1:2)" },
});

describe("the command line", () => {
  test.each([[["--help"]], [["trigger", "--help"]], [["--version"]]])("%j is no failure", async (args) => {
    expect(await runlane(args)).toMatchObject({ code: 0, stderr: "" });
  });

  test("help lists the exit codes", async () => {
    expect((await runlane(["--help"])).stdout).toContain("Exit codes:");
  });

  test.each([
    [[]],
    [["nonsense"]],
    [["trigger"]],
    [["trigger", "hello", "{}", "more"]],
    [["trigger", "hello", "--unknown"]],
    [["trigger", "hello", "--max-attempts", "0"]],
    [["trigger", "hello", "--max-attempts", "many"]],
    [["trigger", "hello", "{name:1}"]],
    [["runs"]],
    [["runs", "get"]],
    [["runs", "watch", "run_1", "--tag", "nightly"]],
    [["worker", "--concurrency", "0"]],
    [["server", "--sync", "sometimes"]],
  ])("%j is wrong: exit code 2", async (args) => {
    const { code, stdout, stderr } = await runlane(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).not.toBe("");
  });

  test("--json may stand anywhere", async () => {
    const service = { getRun: () => ({ run: completed }) };
    const { stdout } = await runlane(["runs", "get", "run_1", "--json"], service);
    expect(JSON.parse(stdout).id).toBe("run_1");
    expect((await runlane(["--json", "runs", "get", "run_1"], service)).stdout).toBe(stdout);
  });

  test("--address says which server", async () => {
    const { address, leftOpen } = await runlane(["runs", "get", "run_1", "--address", "http://there:1"], { getRun: () => ({ run: completed }) });
    expect([address, leftOpen]).toEqual(["http://there:1", false]);
  });
});

describe("payloads of more than 128 KiB", () => {
  test("are stored before the trigger, and read with the run", async () => {
    const large = JSON.stringify("x".repeat(200_000));
    let asked: TriggerAndWaitRequest | undefined;
    const service = {
      async *triggerAndWait(request: TriggerAndWaitRequest) {
        asked = request;
        yield { run: run({ state: RunState.COMPLETED, payload: request.item?.payload, output: request.item?.payload }) };
      },
    };
    const { code, stdout } = await runlane(["trigger", "hello", "-", "--wait"], service, large);
    expect(asked?.item?.payload).toMatchObject({ data: new Uint8Array(), reference: "pay_1" });
    expect([code, stdout === large]).toEqual([0, true]);
  });

  test("may have up to 10 MiB", async () => {
    const { code, stderr } = await runlane(["trigger", "hello", "-"], {}, JSON.stringify("x".repeat(10_485_760)));
    expect([code, stderr]).toEqual([2, expect.stringContaining("10485762 bytes as JSON, and at most 10485760")]);
  });
});

describe("runlane trigger", () => {
  function recording(requests: TriggerTasksRequest[]) {
    return {
      triggerTasks(request: TriggerTasksRequest) {
        requests.push(request);
        return { outcomes: [{ outcome: { case: "runId" as const, value: "run_1" } }] };
      },
    };
  }

  test("prints the run's id", async () => {
    const requests: TriggerTasksRequest[] = [];
    expect(await runlane(["trigger", "hello", ' {"name": "you"}'], recording(requests))).toMatchObject({ code: 0, stdout: "run_1", stderr: "" });
    const item = requests[0]!.items[0]!;
    expect([item.taskId, Buffer.from(item.payload!.data).toString(), item.options?.maxAttempts, item.options?.queue]).toEqual([
      "hello",
      '{"name":"you"}',
      undefined,
      undefined,
    ]);
    expect(requests[0]!.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("takes options, and the payload from standard input", async () => {
    const requests: TriggerTasksRequest[] = [];
    const args = ["trigger", "hello", "-", "--max-attempts", "7", "--queue", "slow", "--json"];
    expect(await runlane(args, recording(requests), "[1,\n2]\n")).toMatchObject({ code: 0, stdout: '{"id":"run_1"}' });
    const item = requests[0]!.items[0]!;
    expect([Buffer.from(item.payload!.data).toString(), item.options?.maxAttempts, item.options?.queue]).toEqual(["[1,2]", 7, "slow"]);
  });

  test("without a payload sends none", async () => {
    const requests: TriggerTasksRequest[] = [];
    await runlane(["trigger", "hello"], recording(requests));
    expect(requests[0]!.items[0]!.payload).toBeUndefined();
  });

  test("says why an item was refused: exit code 1", async () => {
    const error = statusOf(refusal("PAYLOAD_TOO_LARGE", "the payload has 140000 bytes; the limit is 131072"));
    const service = { triggerTasks: () => ({ outcomes: [{ outcome: { case: "error" as const, value: error } }] }) };
    expect(await runlane(["trigger", "hello"], service)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "runlane: the payload has 140000 bytes; the limit is 131072",
      leftOpen: false,
    });
    const { stderr } = await runlane(["trigger", "hello", "--json"], service);
    expect(JSON.parse(stderr)).toEqual({
      error: { exitCode: 1, code: "RESOURCE_EXHAUSTED", reason: "PAYLOAD_TOO_LARGE", message: "the payload has 140000 bytes; the limit is 131072" },
    });
  });

  test.each([
    [3, refusal("INVALID_KEY", "the server does not know this key")],
    [3, refusal("NO_OWNER", "nobody owns the partition at present")],
    [1, refusal("INVALID_FIELD", "items must have 1 to 500 entries")],
    [70, refusal("INTERNAL", "internal error 1")],
  ])("ends with exit code %i if the call is refused: %s", async (code, error) => {
    const service = {
      triggerTasks: () => {
        throw error;
      },
    };
    expect((await runlane(["trigger", "hello"], service)).code).toBe(code);
  });
});

describe("runlane trigger --wait", () => {
  const showing = (...runs: (typeof queued)[]) => ({
    async *triggerAndWait() {
      for (const each of runs) yield { run: each };
    },
  });

  test("shows the run on standard error and what it returned on standard output", async () => {
    expect(await runlane(["trigger", "hello", "--wait"], showing(queued, executing, completed))).toMatchObject({
      code: 0,
      stdout: '{"greeting":"hi"}',
      stderr: "run_1\nQUEUED    no worker that has the task is connected\nEXECUTING attempt 1 of 3\nCOMPLETED after 15 ms",
    });
  });

  test("ends with exit code 1 if the run failed", async () => {
    const { code, stdout, stderr } = await runlane(["trigger", "hello", "--wait"], showing(queued, failed));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("FAILED    TypeError: x is not a function");
  });

  test("prints the final run as one JSON object with --json", async () => {
    const { code, stdout, stderr } = await runlane(["trigger", "hello", "--wait", "--json"], showing(queued, failed));
    expect([code, stderr]).toEqual([1, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ id: "run_1", state: "FAILED", failure: { kind: "ERROR", name: "TypeError" } });
  });

  test("goes on over a broken stream with the same request id", async () => {
    const requests: TriggerAndWaitRequest[] = [];
    const service = {
      async *triggerAndWait(request: TriggerAndWaitRequest) {
        requests.push(request);
        if (requests.length === 1) {
          yield { run: queued };
          throw refusal("DRAINING", "the server is stopping", { retryDelayMs: 1 });
        }
        yield { run: completed };
      },
    };
    expect((await runlane(["trigger", "hello", "--wait"], service)).code).toBe(0);
    expect(requests).toHaveLength(2);
    expect(requests[1]!.requestId).toBe(requests[0]!.requestId);
  });
});

describe("runlane runs", () => {
  test("get shows a run in full", async () => {
    const { code, stdout } = await runlane(["runs", "get", "run_1"], { getRun: ({ runId }) => ({ run: { ...completed, id: runId } }) });
    expect(code).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "run       run_1",
      "state     COMPLETED",
      "task      hello",
      "queue     task/hello",
      "attempts  1 of 3",
      "created   2026-11-23T15:00:00.000Z",
      "started   2026-11-23T15:00:00.003Z (+3 ms)",
      "finished  2026-11-23T15:00:00.015Z (+12 ms)",
      'payload   {"name":"you"}',
      'output    {"greeting":"hi"}',
    ]);
  });

  test("get says why a run does not execute, and how it failed", async () => {
    const pending = await runlane(["runs", "get", "run_1"], { getRun: () => ({ run: queued }) });
    expect(pending.stdout).toContain("state     QUEUED: no worker that has the task is connected");
    const broken = await runlane(["runs", "get", "run_1"], { getRun: () => ({ run: failed }) });
    expect(broken.stdout).toContain("failure   TypeError: x is not a function\n              at f (a.ts:1:2)");
  });

  test("get of a run that does not exist ends with exit code 1", async () => {
    const service = {
      getRun: () => {
        throw refusal("RUN_NOT_FOUND", "there is no run run_9");
      },
    };
    expect(await runlane(["runs", "get", "run_9"], service)).toMatchObject({ code: 1, stdout: "", stderr: "runlane: there is no run run_9" });
    expect(JSON.parse((await runlane(["runs", "get", "run_9", "--json"], service)).stderr)).toEqual({
      error: { exitCode: 1, code: "NOT_FOUND", reason: "RUN_NOT_FOUND", message: "there is no run run_9" },
    });
  });

  test("cancel cancels, and shows the run", async () => {
    const asked: string[] = [];
    const service = {
      cancelRun: ({ runId, reason }: { runId: string; reason: string }) => {
        asked.push(runId, reason);
        return { run: run({ state: RunState.CANCELED, finishTime: at(5) }) };
      },
    };
    expect(await runlane(["runs", "cancel", "run_1", "--reason", "enough"], service)).toMatchObject({ code: 0 });
    expect(asked).toEqual(["run_1", "enough"]);
  });

  test("cancel of a finished run ends with exit code 1", async () => {
    const service = {
      cancelRun: () => {
        throw refusal("RUN_FINISHED", "run run_1 is COMPLETED already");
      },
    };
    expect(await runlane(["runs", "cancel", "run_1"], service)).toMatchObject({ code: 1, stderr: "runlane: run run_1 is COMPLETED already" });
  });
});
