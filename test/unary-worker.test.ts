import { createConnection } from "node:net";
import { create, type DescMessage, type DescMethod, fromJson, type MessageInitShape, type MessageShape, toJsonString } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PayloadService } from "@runlane/sdk/gen/runlane/v1/payload_service_pb.js";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { type Assignment, type PollResponse, ResultDisposition, WorkerService } from "@runlane/sdk/gen/runlane/v1/worker_service_pb.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestServer } from "./support/test-server.js";

// What is left to a client that has no HTTP/2 and no streams towards the server: JSON over HTTP/1.1, as curl or a shell script would send it.

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start({ onCleanUp: afterAll });
});

/** Calls a method by a plain POST of JSON. */
async function call<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const response = await fetch(`${server.httpAddress}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${server.secretKey}` },
    body: toJsonString(method.input, create(method.input, request)),
  });
  const answer = JSON.parse(await response.text());
  if (!response.ok) throw Object.assign(new Error(answer.message), answer);
  return fromJson(method.output, answer);
}

const { poll, heartbeat, reportResults } = WorkerService.method;

test("a worker that is a few POSTs runs a task, whose payload came by another", async () => {
  const data = Buffer.from(JSON.stringify("x".repeat(300_000)));
  const { reference } = await call(PayloadService.method.uploadPayload, { data });
  const { outcomes } = await call(RunService.method.triggerTasks, { items: [{ taskId: "measure", payload: { reference } }] });
  const runId = outcomes[0]?.outcome.value as string;

  const hello = { protocolRevision: 1, workerId: "curl", incarnation: 1n, slots: 1, tasks: [{ id: "measure" }] };
  let polled: PollResponse = await call(poll, { frame: { hello } });
  const { streamId } = polled;
  let assignment: Assignment | undefined;
  while (!assignment) {
    assignment = polled.frame?.assignments[0];
    const next = assignment ? { frame: { accepted: [assignment.token] }, wait: durationFromMs(0) } : { wait: durationFromMs(5_000) };
    polled = await call(poll, { streamId, received: polled.number, ...next });
  }
  expect([assignment.runId, assignment.payload?.reference]).toEqual([runId, reference]);
  const { answer } = await call(heartbeat, { streamId, heartbeat: { sequence: 1n, heldCount: 1 } });
  expect(answer).toMatchObject({ sequence: 1n, listHeld: true });
  const output = { data: Buffer.from("300000") };
  const result = { token: assignment.token, outcome: { case: "output" as const, value: output } };
  const { receipts } = await call(reportResults, { streamId, results: [result] });
  expect(receipts.map(({ disposition }) => disposition)).toEqual([ResultDisposition.RECORDED]);
  const { run } = await call(RunService.method.getRun, { runId });
  expect([run?.state, Buffer.from(run?.output?.data ?? "").toString()]).toEqual([RunState.COMPLETED, "300000"]);
});

test("a poll of a stream that nobody knows says what to do", async () => {
  await expect(call(poll, { streamId: "gone", received: 3n })).rejects.toMatchObject({ code: "failed_precondition" });
  await expect(call(poll, {})).rejects.toMatchObject({ code: "invalid_argument" });
});

test("it is HTTP/1.1 that is spoken", async () => {
  const { hostname, port } = new URL(server.httpAddress);
  const body = JSON.stringify({ streamId: "gone", received: "3" });
  const headers = [
    "host: x",
    "connection: close",
    "content-type: application/json",
    `authorization: Bearer ${server.secretKey}`,
    `content-length: ${body.length}`,
  ];
  const answer = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = createConnection(Number(port), hostname, () => {
      socket.write(`POST /runlane.v1.WorkerService/Poll HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n${body}`);
    });
    socket.setEncoding("utf8").on("data", (part: string) => (text += part));
    socket.on("end", () => resolve(text)).on("error", reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain("failed_precondition");
});
