import { type Client, Code, ConnectError, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { createMemoryTransport, type InternalTransport, MemoryOwnership, MemoryPayloadStore, principalKey, reasonOf } from "@runlane/platform";
import { BadRequestSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import { type Run, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { RunService } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { TaskService } from "@runlane/platform/gen/runlane/v1/task_service_pb.js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Scheduler, startScheduler } from "./start-scheduler.js";
import { OwnerDouble } from "./testing/owner-double.js";
import { silentLogger } from "./testing/silent-logger.js";

let transport: InternalTransport;
let directory: MemoryOwnership;
let owner: OwnerDouble;
let scheduler: Scheduler;
let runs: Client<typeof RunService>;
let tasks: Client<typeof TaskService>;

const asDev: Interceptor = (next) => (request) => {
  request.contextValues.set(principalKey, { environment: "dev" });
  return next(request);
};

beforeEach(async () => {
  transport = createMemoryTransport({ logger: silentLogger });
  directory = new MemoryOwnership();
  owner = new OwnerDouble(transport, directory);
  scheduler = await startScheduler({
    nodeId: "n1",
    transport,
    directory,
    payloads: new MemoryPayloadStore(),
    publicUrl: "",
    logger: silentLogger,
    sweepIntervalMs: 20,
  });
  const router = createRouterTransport(
    ({ service: add }) => {
      for (const { service, implementation } of scheduler.services) add(service, implementation);
    },
    { router: { interceptors: [asDev] } },
  );
  runs = createClient(RunService, router);
  tasks = createClient(TaskService, router);
  await owner.takeOver(1n);
});
afterEach(async () => {
  await scheduler.close();
  await transport.close();
});

const failureOf = (call: Promise<unknown>) => call.then(() => expect.unreachable("the call succeeded"), ConnectError.from);
const fieldsOf = (error: ConnectError) => error.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field);

describe("TriggerTasks", () => {
  test("answers one outcome for each item, and awaits nothing", async () => {
    const { outcomes } = await runs.triggerTasks({ requestId: "r", items: [{ taskId: "t" }, { taskId: "!" }] });
    expect(outcomes.map(({ outcome }) => outcome.case)).toEqual(["runId", "error"]);
    expect(owner.triggers[0]).toMatchObject({ environment: "dev", requestId: "r", awaitResults: [] });
  });

  test("names a request that its caller did not name, so that it may be repeated when the owner changes", async () => {
    await runs.triggerTasks({ items: [{ taskId: "t" }] });
    await runs.triggerTasks({ items: [{ taskId: "t" }] });
    const [first, second] = owner.triggers.map(({ requestId }) => requestId);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).not.toBe(first);
  });

  test("refuses a call that breaks the rules as a whole", async () => {
    const error = await failureOf(runs.triggerTasks({ requestId: "r", items: [] }));
    expect([error.code, fieldsOf(error)]).toEqual([Code.InvalidArgument, ["items"]]);
  });

  test("is UNAVAILABLE while nobody owns the partition for longer than the caller waits", async () => {
    await owner.resign();
    const error = await failureOf(runs.triggerTasks({ requestId: "r", items: [{ taskId: "t" }] }, { timeoutMs: 200 }));
    expect([Code.Unavailable, Code.DeadlineExceeded]).toContain(error.code);
  });
});

describe("TriggerAndWait", () => {
  async function follow(requestId: string, seen: Run[], signal?: AbortSignal): Promise<void> {
    for await (const { run } of runs.triggerAndWait({ requestId, item: { taskId: "t" } }, { signal })) if (run) seen.push(structuredClone(run));
  }
  const change = async (state: RunState) => {
    const run = owner.runs.get("run_1")!;
    run.state = state;
    await owner.notify("subscriber.n1", { changes: [run] });
  };
  const states = (seen: Run[]) => seen.map(({ state }) => RunState[state]);

  test("sends the accepted run, each change, the final run, and ends", async () => {
    const seen: Run[] = [];
    const over = follow("r", seen);
    await vi.waitFor(() => expect(states(seen)).toEqual(["QUEUED"]));
    await change(RunState.EXECUTING);
    await vi.waitFor(() => expect(states(seen)).toEqual(["QUEUED", "EXECUTING"]));
    await change(RunState.COMPLETED);
    await over;
    expect(states(seen)).toEqual(["QUEUED", "EXECUTING", "COMPLETED"]);
    await vi.waitFor(() => expect(owner.interest.size).toBe(0));
  });

  test("called again with the same request id goes on waiting for the same run", async () => {
    const abort = new AbortController();
    const first: Run[] = [];
    const over = follow("r", first, abort.signal).catch(ConnectError.from);
    await vi.waitFor(() => expect(states(first)).toEqual(["QUEUED"]));
    abort.abort();
    await over;
    await vi.waitFor(() => expect(owner.interest.size).toBe(0));
    await change(RunState.COMPLETED);
    const second: Run[] = [];
    await follow("r", second);
    expect([second.map(({ id }) => id), states(second)]).toEqual([["run_1"], ["COMPLETED"]]);
  });

  test("goes on over a change of owner", async () => {
    const seen: Run[] = [];
    const over = follow("r", seen);
    await vi.waitFor(() => expect(states(seen)).toEqual(["QUEUED"]));
    owner.runs.get("run_1")!.state = RunState.COMPLETED;
    await owner.takeOver(2n);
    await over;
    expect(states(seen)).toEqual(["QUEUED", "COMPLETED"]);
  });

  test("hears of a change whose notification was lost, by the sweep", async () => {
    const seen: Run[] = [];
    const over = follow("r", seen);
    await vi.waitFor(() => expect(states(seen)).toEqual(["QUEUED"]));
    owner.runs.get("run_1")!.state = RunState.FAILED;
    await over;
    expect(states(seen)).toEqual(["QUEUED", "FAILED"]);
  });

  test("does not believe an owner that has been replaced", async () => {
    const seen: Run[] = [];
    const over = follow("r", seen);
    await vi.waitFor(() => expect(states(seen)).toEqual(["QUEUED"]));
    await owner.takeOver(5n);
    await owner.notify("subscriber.n1", { epoch: 4n, changes: [{ ...owner.runs.get("run_1")!, state: RunState.DEQUEUED }] });
    await change(RunState.COMPLETED);
    await over;
    expect(states(seen)).toEqual(["QUEUED", "COMPLETED"]);
  });

  test.each([
    ["a missing item", undefined, "item"],
    ["a malformed task id", { taskId: "no such task!" }, "item.task_id"],
  ])("refuses %s", async (_, item, field) => {
    const call = (async () => {
      for await (const _message of runs.triggerAndWait({ requestId: "r", item })) expect.unreachable();
    })();
    const error = await failureOf(call);
    expect([error.code, fieldsOf(error)]).toEqual([Code.InvalidArgument, [field]]);
  });
});

describe("GetRun and CancelRun", () => {
  beforeEach(() => runs.triggerTasks({ requestId: "r", items: [{ taskId: "t" }] }));

  test("read and cancel a run", async () => {
    expect((await runs.getRun({ runId: "run_1" })).run).toMatchObject({ id: "run_1", state: RunState.QUEUED });
    expect((await runs.cancelRun({ runId: "run_1" })).run).toMatchObject({ state: RunState.CANCELED, failure: { message: "Canceled by user" } });
  });

  test("cut a long reason", async () => {
    expect((await runs.cancelRun({ runId: "run_1", reason: "x".repeat(2_000) })).run?.failure?.message).toBe("x".repeat(1_000));
  });

  test("pass the owner's refusals on", async () => {
    await runs.cancelRun({ runId: "run_1" });
    expect(reasonOf(await failureOf(runs.cancelRun({ runId: "run_1" })))).toBe("RUN_FINISHED");
    expect(reasonOf(await failureOf(runs.getRun({ runId: "run_9" })))).toBe("RUN_NOT_FOUND");
  });

  test("refuse what cannot be an id", async () => {
    expect(fieldsOf(await failureOf(runs.getRun({ runId: "" })))).toEqual(["run_id"]);
    expect(fieldsOf(await failureOf(runs.cancelRun({ runId: "a b" })))).toEqual(["run_id"]);
  });
});

describe("ListTasks", () => {
  test.each([0, 1, 5, 7, 24, 25, 26, 1_000, 5_000])("lists every task once, in pages of %i", async (pageSize) => {
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await tasks.listTasks({ pageSize, pageToken });
      expect(page.tasks.length).toBeGreaterThan(0);
      expect(page.tasks.length).toBeLessThanOrEqual(pageSize || 100);
      ids.push(...page.tasks.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(ids).toHaveLength(25);
    expect(new Set(ids).size).toBe(25);
  });

  test("refuses a negative page size and a token that no page gave out", async () => {
    expect(fieldsOf(await failureOf(tasks.listTasks({ pageSize: -1 })))).toEqual(["page_size"]);
    expect(fieldsOf(await failureOf(tasks.listTasks({ pageToken: "task-03" })))).toEqual(["page_token"]);
  });
});
