import { createConnection } from "node:net";
import { expect, test } from "vitest";
import { TestServer } from "./support/test-server.js";

// What is left to a client that has no HTTP/2 and no streams towards the server: JSON over HTTP/1.1, as curl or a shell script would send it.

/** Calls a method by a plain POST of JSON. */
async function call(server: TestServer, method: string, request: object): Promise<Record<string, never> & Record<string, unknown>> {
  const response = await fetch(`${server.httpAddress}/runlane.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${server.secretKey}` },
    body: JSON.stringify(request),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.message), answer);
  return answer;
}

test("a worker that is a few POSTs runs a task, whose payload came by another", async () => {
  const server = await TestServer.start();
  const value = "x".repeat(300_000);
  const { reference } = await call(server, "PayloadService/UploadPayload", { data: Buffer.from(JSON.stringify(value)).toString("base64") });
  const { outcomes } = await call(server, "RunService/TriggerTasks", { items: [{ taskId: "measure", payload: { reference } }] });
  const [{ runId }] = outcomes as unknown as [{ runId: string }];

  const hello = { protocolRevision: 1, workerId: "curl", incarnation: "1", slots: 1, tasks: [{ id: "measure" }] };
  let polled = await call(server, "WorkerService/Poll", { frame: { hello } });
  const { streamId } = polled as unknown as { streamId: string };
  let assignment: { token: string; runId: string; payload: { reference: string } } | undefined;
  while (!assignment) {
    const { frame, number } = polled as unknown as { frame?: { assignments?: [NonNullable<typeof assignment>] }; number: string };
    assignment = frame?.assignments?.[0];
    polled = await call(server, "WorkerService/Poll", {
      streamId,
      received: number,
      wait: assignment ? "0s" : "5s",
      frame: assignment ? { accepted: [assignment.token] } : {},
    });
  }
  expect([assignment.runId, assignment.payload.reference]).toEqual([runId, reference]);
  const { answer } = await call(server, "WorkerService/Heartbeat", { streamId, heartbeat: { sequence: "1", heldCount: 1 } });
  expect(answer).toMatchObject({ sequence: "1", listHeld: true });
  const output = { data: Buffer.from("300000").toString("base64") };
  const { receipts } = await call(server, "WorkerService/ReportResults", { streamId, results: [{ token: assignment.token, output }] });
  expect(receipts).toMatchObject([{ disposition: "RESULT_DISPOSITION_RECORDED" }]);
  const { run } = await call(server, "RunService/GetRun", { runId });
  expect(run).toMatchObject({ state: "RUN_STATE_COMPLETED", output });
});

test("a poll of a stream that nobody knows says what to do", async () => {
  const server = await TestServer.start();
  await expect(call(server, "WorkerService/Poll", { streamId: "gone", received: "3" })).rejects.toMatchObject({ code: "failed_precondition" });
  await expect(call(server, "WorkerService/Poll", {})).rejects.toMatchObject({ code: "invalid_argument" });
});

test("it is HTTP/1.1 that is spoken", async () => {
  const server = await TestServer.start();
  const { hostname, port } = new URL(server.httpAddress);
  const body = JSON.stringify({ streamId: "gone", received: "3" });
  const answer = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = createConnection(Number(port), hostname, () => {
      socket.write(
        `POST /runlane.v1.WorkerService/Poll HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\nauthorization: Bearer ${server.secretKey}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
    socket.setEncoding("utf8").on("data", (part: string) => (text += part));
    socket.on("end", () => resolve(text)).on("error", reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain("failed_precondition");
});
