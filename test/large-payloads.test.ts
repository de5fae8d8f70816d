import { createHash, randomBytes } from "node:crypto";
import { ApiError, configure, runs, tasks } from "@runlane/sdk";
import { PayloadService } from "@runlane/sdk/gen/runlane/v1/payload_service_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { measuring, repeat } from "./fixtures/tasks/large.js";
import type { echo } from "./fixtures/tasks/plain.js";
import { runlane } from "./support/command-line.js";
import { refusalOf, Stranger } from "./support/stranger.js";
import { temporaryFolder } from "./support/temporary-folder.js";
import { shapes, TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

const text = (length: number) => randomBytes(length).toString("base64url").slice(0, length);
const digest = (value: unknown) => createHash("sha256").update(String(value)).digest("hex");

describe.each(shapes)("in shape %s", (shape) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ shape, onCleanUp: afterAll });
    configure({ baseURL: server.address, secretKey: server.secretKey });
    new TestWorker(server, "tasks", { onCleanUp: afterAll });
  });

  test.each([131_070, 131_071, 1_000_000, 10_485_758])("a payload and an output of %i characters make their way", async (length) => {
    const value = text(length);
    const handle = await tasks.trigger<typeof echo>("echo", value);
    const run = await runs.poll(handle);
    expect([run.status, digest(run.output), digest(run.payload)]).toEqual(["COMPLETED", digest(value), digest(value)]);
  });

  test("more than 10 MiB is refused by the SDK; as an output it fails the run", async () => {
    const error = await tasks.trigger<typeof echo>("echo", "x".repeat(10_485_759)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 413, reason: "PAYLOAD_TOO_LARGE" });
    const result = await tasks.triggerAndWait<typeof repeat>("repeat", { text: "x".repeat(1_000_000), times: 11 });
    expect(result).toMatchObject({ ok: false, error: { code: "TASK_OUTPUT_ERROR" } });
  });

  test("a batch mixes small and large", async () => {
    const values = [text(10), text(500_000), text(20), text(2_000_000)];
    const { runs: results } = await tasks.batchTriggerAndWait<typeof echo>(
      "echo",
      values.map((payload) => ({ payload })),
    );
    expect(results.map((result) => digest(result.ok && result.output))).toEqual(values.map(digest));
  });

  test("running code gives its children large payloads, and gets their large outputs", async () => {
    const result = await tasks.triggerAndWait<typeof measuring>("measuring", { length: 700_000 }).unwrap();
    expect(result.lengths).toEqual([1_400_000, 1_400_000, 700_000]);
    expect((await runs.poll<typeof repeat>(result.id)).output).toHaveLength(1_400_000);
  });

  test("the command takes and shows them", async () => {
    const value = JSON.stringify(text(300_000));
    const { code, stdout } = await runlane(["trigger", "echo", "-", "--wait", "--json"], { env: server.env, input: value });
    expect(code).toBe(0);
    const run = JSON.parse(stdout);
    expect(digest(JSON.stringify(run.output))).toBe(digest(value));
    const shown = await runlane(["runs", "get", run.id, "--json"], { env: server.env });
    expect(digest(JSON.stringify(JSON.parse(shown.stdout).payload))).toBe(digest(value));
  });

  test("a reference that the server did not give is refused, item by item and by name", async () => {
    const stranger = new Stranger(server.address, server.secretKey);
    const reference = "pay_0000000000000000000000";
    expect(await stranger.collect(PayloadService.method.getPayload, { reference }).catch((refusal) => refusal.reason)).toBe("PAYLOAD_NOT_FOUND");
    const { outcomes } = await stranger.call(RunService.method.triggerTasks, { items: [{ taskId: "echo", payload: { reference } }, { taskId: "echo" }] });
    expect(outcomes.map(({ outcome }) => (outcome.case === "error" ? refusalOf(outcome.value).reason : outcome.case))).toEqual(["PAYLOAD_NOT_FOUND", "runId"]);
  });
});

test("a stored payload survives SIGKILL of everything", async () => {
  const data = temporaryFolder();
  const first = await TestServer.start({ data });
  configure({ baseURL: first.address, secretKey: first.secretKey });
  const value = text(900_000);
  const { id } = await tasks.trigger<typeof echo>("echo", value);
  await first.program.kill();
  const second = await TestServer.start({ data });
  configure({ baseURL: second.address, secretKey: second.secretKey });
  new TestWorker(second, "tasks");
  const run = await runs.poll<typeof echo>(id);
  expect([digest(run.payload), digest(run.output)]).toEqual([digest(value), digest(value)]);
});
