import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { PayloadService } from "@runlane/sdk/gen/runlane/v1/payload_service_pb.js";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { TaskService } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import { expect, test } from "vitest";
import { eventually } from "./support/eventually.js";
import { jsonPayload } from "./support/json-payload.js";
import { type Refusal, Stranger } from "./support/stranger.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";

const { triggerTasks, getRun, cancelRun } = RunService.method;
const { listTasks } = TaskService.method;
const { uploadPayload } = PayloadService.method;

/** Connects to a server's nats-server as its owner does. */
async function natsOf(server: TestServer): Promise<NatsConnection> {
  const folder = join(server.data, "nats");
  const { user, password } = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8")).queue;
  const pid = readFileSync(join(folder, "nats-server.pid"), "utf8").trim();
  const ports = JSON.parse(readFileSync(join(folder, `nats-server_${pid}.ports`), "utf8"));
  return await connect({ servers: ports.nats[0], user, pass: password, inboxPrefix: `_INBOX.${user}` });
}

test("at the store's limit writes are refused with LOG_FULL, reads go on, and it recovers without a restart once there is room", async () => {
  const server = await TestServer.start({ args: ["--store-limit", "4MiB"] });
  const worker = new TestWorker(server, "tasks");
  const stranger = new Stranger(server.address, server.secretKey);
  const trigger = async (requestId: string) => {
    const { outcomes } = await stranger.call(triggerTasks, { requestId, items: [{ taskId: "echo", payload: jsonPayload("x") }] });
    return outcomes[0]?.outcome.value as string;
  };
  const stateOf = async (runId: string) => (await stranger.call(getRun, { runId })).run?.state;
  const completed = (runId: string) => eventually("the run completes", async () => (await stateOf(runId)) === RunState.COMPLETED);
  const first = await trigger("first");
  await completed(first);

  // Something else takes all the room: a stream of its own, as an operator's other application would.
  const nats = await natsOf(server);
  const api = async (operation: string, body?: object) => (await nats.request(`$JS.API.${operation}`, body ? JSON.stringify(body) : "")).json();
  await api("STREAM.CREATE.FILLER", { name: "FILLER", subjects: ["_INBOX.filler"], storage: "file" });
  for (let size = 256 * 1024; size > 8; ) {
    const answer = (await nats.request("_INBOX.filler", new Uint8Array(size))).json<{ error?: object }>();
    if (answer.error) size >>= 1;
  }

  for (const requestId of ["second", "third"]) {
    const refusal: Refusal = await stranger.refused(triggerTasks, { requestId, items: [{ taskId: "echo" }] });
    expect(refusal).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "LOG_FULL" });
  }
  expect(await stranger.refused(cancelRun, { runId: first })).toMatchObject({ reason: "LOG_FULL" });
  const data = new Uint8Array(200_000);
  expect(await stranger.refused(uploadPayload, { data })).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "LOG_FULL" });
  expect(await stateOf(first)).toBe(RunState.COMPLETED);
  expect((await stranger.call(listTasks, {})).tasks.map(({ id }) => id)).toContain("echo");

  await api("STREAM.PURGE.FILLER");
  const second = await eventually("a trigger is taken again", () => trigger("third").catch(() => undefined));
  await completed(second);
  expect((await stranger.call(uploadPayload, { data })).reference).toMatch(/^pay_/);
  expect(server.program.running).toBe(true);
  expect(worker.program.running).toBe(true);
  await nats.close();
});
