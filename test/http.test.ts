import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";
import { bufProgram, tool } from "./support/tool.js";

const cleanUps: (() => Promise<void> | void)[] = [];
let server: TestServer;
beforeAll(async () => {
  const onCleanUp = (cleanUp: () => Promise<void> | void) => void cleanUps.push(cleanUp);
  server = await TestServer.start({ onCleanUp });
  new TestWorker(server, "tasks", { onCleanUp });
});
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Calls a method with JSON by curl: its status and what it answered. */
async function curl(method: string, request: object, { key = server.secretKey, more = [] as string[] } = {}) {
  const path = method.includes("/") ? method : `runlane.v1.RunService/${method}`;
  const headers = ["-H", `authorization: Bearer ${key}`, "-H", "content-type: application/json"];
  const { stdout } = await tool("curl", ["-sS", "-w", "\n%{http_code}", ...headers, "-d", JSON.stringify(request), ...more, `${server.httpAddress}/${path}`]);
  const [, body = "", status] = /^(.*)\n(\d+)$/s.exec(stdout) ?? [];
  return { status: Number(status), body: JSON.parse(body) };
}

describe.skipIf(spawnSync("curl", ["--version"]).error)("curl, with JSON over HTTP/1.1", () => {
  test("triggers a task, and reads what it returned", async () => {
    const item = { taskId: "echo", payload: { data: base64('{"name":"you"}') } };
    const { status, body } = await curl("TriggerTasks", { items: [item] });
    expect(status).toBe(200);
    const { runId } = body.outcomes[0];
    await expect.poll(async () => (await curl("GetRun", { runId })).body.run.state, { timeout: 20_000 }).toBe("RUN_STATE_COMPLETED");
    const { run } = (await curl("GetRun", { runId })).body;
    expect(Buffer.from(run.output.data, "base64").toString()).toBe('{"name":"you"}');
  });

  test("reads which of several items was refused, and why; the others are triggered", async () => {
    const { status, body } = await curl("TriggerTasks", { items: [{ taskId: "echo", payload: { data: base64("{") } }, { taskId: "echo" }] });
    expect([status, body]).toMatchObject([200, { outcomes: [{ error: { code: 3 } }, { runId: expect.any(String) }] }]);
    expect(body.outcomes[0].error.details[0]).toMatchObject({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "PAYLOAD_NOT_JSON" });
  });

  test("reads without side effects by GET", async () => {
    const { stdout } = await tool("curl", [
      ...["-sS", "-G", "-H", `authorization: Bearer ${server.secretKey}`],
      ...["--data-urlencode", "connect=v1", "--data-urlencode", "encoding=json", "--data-urlencode", "message={}"],
      `${server.httpAddress}/runlane.v1.TaskService/ListTasks`,
    ]);
    await expect.poll(() => JSON.parse(stdout)).toHaveProperty("tasks");
  });

  test.each([
    ["no such run", "GetRun", { runId: "run_nonsense" }, undefined, 404, "not_found", "RUN_NOT_FOUND"],
    ["a field that breaks its rules", "TriggerTasks", { items: [] }, undefined, 400, "invalid_argument", "INVALID_FIELD"],
    ["a wrong key", "GetRun", { runId: "run_1" }, "wrong", 401, "unauthenticated", "INVALID_KEY"],
    ["no such method", "Nonsense", {}, undefined, 404, "unimplemented", "UNIMPLEMENTED"],
  ])("reads an error: %s", async (_what, method, request, key, status, code, reason) => {
    const answer = await curl(method, request, key === undefined ? {} : { key });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code, message: expect.any(String) });
    expect(answer.body.details[0]).toMatchObject({ type: "google.rpc.ErrorInfo", debug: { reason, domain: "runlane.dev" } });
  });

  test("asks for health without a key", async () => {
    const ask = async (path: string) => (await tool("curl", ["-sS", "-w", "%{http_code}", server.httpAddress + path])).stdout;
    expect([await ask("/livez"), await ask("/readyz")]).toEqual(["ok\n200", "ok\n200"]);
    expect((await curl("grpc.health.v1.Health/Check", { service: "runlane.v1.RunService" }, { key: "" })).body).toEqual({ status: "SERVING" });
  });
});

describe("buf curl, by reflection", () => {
  const buf = (address: string, method: string, request: object, args: string[], key = server.secretKey) =>
    tool(bufProgram, ["curl", ...args, "-H", `authorization: Bearer ${key}`, "-d", JSON.stringify(request), `${address}/${method}`]);
  const http2 = "--http2-prior-knowledge";

  test.each([
    ["httpAddress", "connect", []],
    ["httpAddress", "grpcweb", []],
    ["httpAddress", "connect", [http2]],
    ["httpAddress", "grpcweb", [http2]],
    ["httpAddress", "grpc", [http2]],
    ["address", "grpc", [http2]],
  ] as const)("%s, %s %j: calls, streams, and reads errors", async (port, protocol, more) => {
    const args = ["--protocol", protocol, ...more];
    const address = server[port];
    const item = { taskId: "echo", payload: { data: base64("1") } };
    const called = await buf(address, "runlane.v1.RunService/TriggerTasks", { items: [item] }, args);
    expect(JSON.parse(called.stdout).outcomes[0].runId).toMatch(/^run_/);
    const streamed = await buf(address, "runlane.v1.RunService/TriggerAndWait", { item }, args);
    expect(streamed.stdout).toContain("RUN_STATE_COMPLETED");
    const refused = await buf(address, "runlane.v1.RunService/GetRun", { runId: "run_nonsense" }, args);
    expect(refused.code).not.toBe(0);
    expect(JSON.parse(refused.stderr)).toMatchObject({ code: "not_found", details: [{ type: "google.rpc.ErrorInfo" }, { type: "google.rpc.ResourceInfo" }] });
  });

  test.each(["httpAddress", "address"] as const)("%s: lists what is served, without a key, by both versions", async (port) => {
    for (const version of ["grpc-v1", "grpc-v1alpha"]) {
      const { stdout } = await tool(bufProgram, ["curl", "--protocol", "grpc", http2, "--reflect-protocol", version, "--list-services", server[port]]);
      expect(stdout.split("\n")).toEqual(expect.arrayContaining(["runlane.v1.RunService", "runlane.v1.WorkerService", "grpc.health.v1.Health"]));
      expect(stdout).not.toContain("internal");
    }
  });

  test("a method that nobody serves is UNIMPLEMENTED with details on both ports", async () => {
    const schema = ["--schema", "proto", "--protocol", "grpc", http2];
    for (const address of [server.httpAddress, server.address]) {
      const { stderr } = await buf(address, "runlane.internal.v1.OwnerService/ReadRun", {}, schema);
      expect(JSON.parse(stderr)).toMatchObject({ code: "unimplemented", details: [{ type: "google.rpc.ErrorInfo" }] });
    }
  });
});
