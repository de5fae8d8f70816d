import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { ResultDisposition } from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { jsonValue } from "../support/json-payload.js";
import { RunClient } from "../support/run-client.js";
import { shapes, TestServer } from "../support/test-server.js";
import { RawWorker } from "./raw-worker.js";

// What a worker says of an attempt that is not its own (any more) changes nothing. The lease has a test of its own: lease.test.ts.
const { RECORDED, STALE } = ResultDisposition;
let client: RunClient;

describe.each(shapes)("in shape %s", (shape) => {
  beforeAll(async () => {
    client = new RunClient(await TestServer.start({ shape, onCleanUp: afterAll }), afterAll);
  });

  async function completed(runId: string): Promise<unknown> {
    const run = await client.run(runId);
    expect(run.state).toBe(RunState.COMPLETED);
    return jsonValue(run.output);
  }

  test("a result of an attempt that another life of the worker has replaced is STALE", async () => {
    const first = new RawWorker(client.stranger, { workerId: "two-lives", incarnation: 1n, tasks: ["two-lives"] });
    await first.hello();
    const [runId = ""] = await client.trigger({ taskId: "two-lives" });
    const old = await first.take(runId);
    await eventually("the attempt executes", async () => (await client.run(runId)).state === RunState.EXECUTING);

    const second = new RawWorker(client.stranger, { workerId: "two-lives", incarnation: 2n, tasks: ["two-lives"] });
    await second.hello();
    const token = await second.take(runId);
    expect(await second.report(old, "first, through the second")).toBe(STALE);
    expect((await client.run(runId)).state).toBe(RunState.EXECUTING);
    expect(await second.report(token, "second")).toBe(RECORDED);
    expect(await second.report(old, "first, late")).toBe(STALE);

    // The first life hears that it is over before it can say anything.
    first.send({ results: [{ token: old, outcome: { case: "output", value: { data: new TextEncoder().encode('"first"') } } }] });
    await eventually("the first life is asked who it is", () => first.stream.received.some((frame) => frame.helloAgain));
    first.sayHello([old]);
    expect(await first.stream.ended).toMatchObject({ code: "ABORTED", reason: "SESSION_SUPERSEDED" });
    expect(await completed(runId)).toBe("second");
    expect((await client.run(runId)).attemptCount).toBe(2);
  });

  test("the first result of an attempt stays, whatever comes after it", async () => {
    const worker = new RawWorker(client.stranger, { workerId: "repeater", tasks: ["repeated"] });
    await worker.hello();
    const [runId = ""] = await client.trigger({ taskId: "repeated" });
    const token = await worker.take(runId);
    expect(await worker.report(token, "once")).toBe(RECORDED);
    expect(await worker.report(token, "twice")).toBe(STALE);
    const failure = { failure: { message: "no", name: "Error" } };
    expect(await worker.receipt(token, () => worker.send({ results: [{ token, outcome: { case: "failure", value: failure } }] }))).toBe(STALE);
    expect(await worker.receipt(token, () => worker.send({ results: [{ token, outcome: { case: "release", value: {} } }] }))).toBe(STALE);
    expect(await completed(runId)).toBe("once");
  });

  test("a result of a cancelled attempt is STALE", async () => {
    const worker = new RawWorker(client.stranger, { workerId: "cancelled", tasks: ["cancelled"] });
    await worker.hello();
    const [runId = ""] = await client.trigger({ taskId: "cancelled" });
    const token = await worker.take(runId);
    await client.cancel(runId);
    expect(await worker.report(token, "too late")).toBe(STALE);
    const run = await client.run(runId);
    expect(run.state).toBe(RunState.CANCELED);
    expect(run.output).toBeUndefined();
  });

  test("a worker can neither finish nor confirm nor give back what another holds", async () => {
    const [owner, thief] = ["owner", "thief"].map(
      (workerId) => new RawWorker(client.stranger, { workerId, tasks: workerId === "owner" ? ["owned"] : ["other"] }),
    );
    if (!owner || !thief) throw new Error("no workers");
    await Promise.all([owner.hello(), thief.hello()]);
    const [runId = ""] = await client.trigger({ taskId: "owned" });
    const token = await owner.take(runId);
    expect(await thief.report(token, "stolen")).toBe(STALE);
    expect(await thief.receipt(token, () => thief.send({ cancelConfirmed: [token] }))).toBe(STALE);
    thief.send({ declined: [{ token, reason: "mischief" }] });
    thief.send({ accepted: [token] });
    await eventually("the thief hears that the attempt is not its own", () => thief.hasLost(token));
    expect((await client.run(runId)).state).toBe(RunState.EXECUTING);
    expect(await owner.report(token, "honest")).toBe(RECORDED);
    expect(await completed(runId)).toBe("honest");
  });
});
