import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { principalOf } from "../auth/principal.js";
import { reasonOf, refusal } from "../errors.js";
import { bidi } from "../grpc/bidi-stream.js";
import { Readiness } from "../health/readiness.js";
import { Metrics } from "../metrics/metrics.js";
import { failureOf, headers, serveHttp } from "../testing/http-test-server.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { type HttpServer, startHttpServer } from "./http-server.js";

type MakeTransport = (server: HttpServer) => Transport;
const http2Session = { idleConnectionTimeoutMs: 200 };
/** What clients may speak: protocol and version of HTTP. */
const ways: [string, MakeTransport][] = [
  ["Connect with JSON over HTTP/1.1", ({ address }) => createConnectTransport({ baseUrl: address, httpVersion: "1.1", useBinaryFormat: false })],
  ["Connect over HTTP/2", ({ address }) => createConnectTransport({ baseUrl: address, httpVersion: "2", ...http2Session })],
  ["gRPC-Web over HTTP/1.1", ({ address }) => createGrpcWebTransport({ baseUrl: address, httpVersion: "1.1" })],
  ["gRPC-Web over HTTP/2", ({ address }) => createGrpcWebTransport({ baseUrl: address, httpVersion: "2", ...http2Session })],
  ["gRPC over HTTP/2", ({ address }) => createGrpcTransport({ baseUrl: address, ...http2Session })],
];

const client = (transport: Transport) => createClient(RunService, transport);
async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const received: T[] = [];
  for await (const message of messages) received.push(message);
  return received;
}

describe.each(ways)("%s", (_name, makeTransport) => {
  test("a call reaches its handler with the caller's environment", async () => {
    const { server } = await serveHttp({ getRun: (request, context) => ({ run: { id: request.runId, taskId: principalOf(context).environment } }) });
    const { run } = await client(makeTransport(server)).getRun({ runId: "run_1" }, { headers });
    expect(run).toMatchObject({ id: "run_1", taskId: "dev" });
  });

  test("a server stream sends what its handler yields, and ends with its error", async () => {
    const { server } = await serveHttp({
      async *triggerAndWait() {
        yield { run: { state: RunState.QUEUED } };
        yield { run: { state: RunState.COMPLETED } };
        throw refusal("RUN_NOT_FOUND", "gone", { resource: { type: "run", name: "run_1" } });
      },
    });
    const states: (RunState | undefined)[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { run } of client(makeTransport(server)).triggerAndWait({}, { headers })) states.push(run?.state);
      })(),
    );
    expect(states).toEqual([RunState.QUEUED, RunState.COMPLETED]);
    expect(reasonOf(error)).toBe("RUN_NOT_FOUND");
  });

  test.each([
    [{}, "MISSING_KEY"],
    [{ authorization: "Bearer other" }, "INVALID_KEY"],
  ])("headers %j are refused with %s, before the handler and the body", async (given, reason) => {
    const getRun = vi.fn(() => ({}));
    const { server } = await serveHttp({ getRun }, { maxReceiveBytes: 10 });
    const { getRun: call, triggerAndWait } = client(makeTransport(server));
    expect(reasonOf(await failureOf(call({ runId: "x".repeat(100) }, { headers: given })))).toBe(reason);
    expect(reasonOf(await failureOf(all(triggerAndWait({ requestId: "x".repeat(100) }, { headers: given }))))).toBe(reason);
    expect(getRun).not.toHaveBeenCalled();
  });

  test("a message over the limit and a method without a handler say so", async () => {
    const { server } = await serveHttp({ getRun: () => ({}) }, { maxReceiveBytes: 50 });
    const { getRun, cancelRun, triggerAndWait } = client(makeTransport(server));
    expect(reasonOf(await failureOf(getRun({ runId: "x".repeat(100) }, { headers })))).toBe("FRAME_TOO_LARGE");
    expect(reasonOf(await failureOf(all(triggerAndWait({ requestId: "x".repeat(100) }, { headers }))))).toBe("FRAME_TOO_LARGE");
    expect(reasonOf(await failureOf(cancelRun({}, { headers })))).toBe("UNIMPLEMENTED");
    expect(reasonOf(await failureOf(all(triggerAndWait({}, { headers }))))).toBe("UNIMPLEMENTED");
  });

  test("a defect is told as an id; the log has the rest", async () => {
    const { server, lines } = await serveHttp({ getRun: () => Promise.reject(new Error("the secret is 42")) });
    const error = await failureOf(client(makeTransport(server)).getRun({}, { headers }));
    expect(reasonOf(error)).toBe("INTERNAL");
    expect(error.message).not.toContain("secret");
    const id = error.findDetails(ErrorInfoSchema)[0]?.metadata.error_id;
    expect(JSON.stringify(lines.find((line) => line.errorId === id))).toContain("the secret is 42");
  });

  test("a deadline ends a call whose handler listens to nothing", async () => {
    const { server } = await serveHttp({
      getRun: () => new Promise<never>(() => {}),
      async *triggerAndWait() {
        yield {};
        await new Promise(() => {});
      },
    });
    const { getRun, triggerAndWait } = client(makeTransport(server));
    // A client gives up at its own deadline; here the server is the quicker one.
    const timeout = { headers: { ...headers, "connect-timeout-ms": "50", "grpc-timeout": "50m" } };
    expect(reasonOf(await failureOf(getRun({}, timeout)))).toBe("DEADLINE_EXCEEDED");
    expect(reasonOf(await failureOf(all(triggerAndWait({}, timeout))))).toBe("DEADLINE_EXCEEDED");
  });

  test("a stream whose client goes away ends", async () => {
    let ended = false;
    const { server, lines } = await serveHttp({
      async *triggerAndWait(_request, { signal }) {
        try {
          yield {};
          await sleep(60_000, undefined, { signal });
        } finally {
          ended = true;
        }
      },
    });
    const controller = new AbortController();
    const stream = client(makeTransport(server)).triggerAndWait({}, { headers, signal: controller.signal });
    await failureOf(
      (async () => {
        for await (const _ of stream) controller.abort();
      })(),
    );
    await vi.waitFor(() => expect(ended).toBe(true));
    expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  test("the server waits for calls under way, and ends streams and what takes too long with DRAINING", async () => {
    let answer = () => {};
    const begun = vi.fn();
    const { server } = await serveHttp({
      getRun: () =>
        new Promise((resolve) => {
          begun();
          answer = () => resolve({ run: { id: "late" } });
        }),
      cancelRun: () => {
        begun();
        return new Promise<never>(() => {});
      },
      async *triggerAndWait() {
        yield {};
        await new Promise(() => {});
      },
    });
    const { getRun, cancelRun, triggerAndWait } = client(makeTransport(server));
    const stream = failureOf(
      (async () => {
        for await (const _ of triggerAndWait({}, { headers })) begun();
      })(),
    );
    const late = getRun({}, { headers });
    const never = failureOf(cancelRun({}, { headers }));
    await vi.waitFor(() => expect(begun).toHaveBeenCalledTimes(3));
    const drained = server.drain(1_500);
    expect(reasonOf(await stream)).toBe("DRAINING");
    answer();
    expect((await late).run?.id).toBe("late");
    expect(reasonOf(await never)).toBe("DRAINING");
    await drained;
    expect(reasonOf(await failureOf(client(makeTransport(server)).getRun({}, { headers })))).toBe("DRAINING");
  });
});

describe("a bidirectional stream", () => {
  const echo = bidi(RunService.method.triggerStream, (stream) => ({
    onMessage: ({ frame }) => void stream.send({ frame: { case: "outcomes", value: { requestId: frame.case === "trigger" ? frame.value.requestId : "" } } }),
  }));
  async function* two() {
    yield { frame: { case: "trigger" as const, value: { requestId: "a" } } };
    yield { frame: { case: "trigger" as const, value: { requestId: "b" } } };
  }

  test("in callback form is served over HTTP/2", async () => {
    const { server } = await serveHttp({ triggerStream: echo });
    const transport = createGrpcTransport({ baseUrl: server.address, ...http2Session });
    const received = await all(client(transport).triggerStream(two(), { headers }));
    expect(received.map(({ frame }) => frame.case === "outcomes" && frame.value.requestId)).toEqual(["a", "b"]);
  });

  test("is refused over HTTP/1.1, with words", async () => {
    const { server } = await serveHttp({ triggerStream: echo });
    const response = await fetch(`${server.address}/runlane.v1.RunService/TriggerStream`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/connect+json" },
      body: "",
    });
    expect(response.status).toBe(505);
    expect(await response.json()).toMatchObject({ code: "unimplemented", message: "a bidirectional stream needs HTTP/2" });
  });
});

describe("plain HTTP", () => {
  const getRun = "/runlane.v1.RunService/GetRun";
  const post = (server: HttpServer, body: string, more: Record<string, string> = {}) =>
    fetch(server.address + getRun, { method: "POST", headers: { ...headers, "content-type": "application/json", ...more }, body });

  test("a method without side effects is also a GET", async () => {
    const { server } = await serveHttp({ getRun: ({ runId }) => ({ run: { id: runId } }) });
    const response = await fetch(`${server.address}${getRun}?connect=v1&encoding=json&message=${encodeURIComponent('{"runId":"run_1"}')}`, { headers });
    expect(await response.json()).toEqual({ run: { id: "run_1" } });
  });

  test.each([
    ["{", {}, 400, "MALFORMED_FRAME"],
    ['{"runId":1}', {}, 400, "MALFORMED_FRAME"],
    ["{}", { "content-type": "text/plain" }, 415, "MALFORMED_FRAME"],
    ["{}", { authorization: "nonsense" }, 401, "INVALID_KEY"],
    ["{}", { "connect-timeout-ms": "soon" }, 400, "MALFORMED_FRAME"],
    ["{}", { "content-encoding": "zip" }, 501, "UNIMPLEMENTED"],
  ])("%s with %j is refused with %i and a reason", async (body, more, status, reason) => {
    const { server } = await serveHttp({ getRun: () => ({}) });
    const response = await post(server, body, more);
    expect(response.status).toBe(status);
    const { details } = (await response.json()) as { details: { type: string; debug: { reason: string } }[] };
    expect(details[0]).toMatchObject({ type: "google.rpc.ErrorInfo", debug: { reason } });
  });

  test.each([
    ["a message that is none", "application/proto", [0xff, 0xff, 0xff]],
    ["a frame whose message is none", "application/grpc-web+proto", [0, 0, 0, 0, 3, 0xff, 0xff, 0xff]],
    ["a text that is not UTF-8", "application/grpc-web+proto", [0, 0, 0, 0, 4, 10, 2, 0xff, 0xfe]],
    ["a compressed frame without a word of how", "application/grpc-web+proto", [1, 0, 0, 0, 1, 97]],
    ["a stream's message that is none", "application/connect+proto", [0, 0, 0, 0, 3, 0xff, 0xff, 0xff]],
    ["a stream's frame with flags that do not exist", "application/connect+proto", [7, 0, 0, 0, 0]],
  ])("%s (%s) is the caller's fault, not a defect", async (_what, contentType, body) => {
    const { server, lines } = await serveHttp({ getRun: () => ({}), async *triggerAndWait() {} });
    const path = contentType.includes("connect") ? "/runlane.v1.RunService/TriggerAndWait" : getRun;
    const response = await fetch(server.address + path, { method: "POST", headers: { ...headers, "content-type": contentType }, body: Uint8Array.from(body) });
    const text = `${await response.text()} ${response.headers.get("grpc-status-details-bin")}`;
    const info = Buffer.from("MALFORMED_FRAME");
    const said = text.includes("MALFORMED_FRAME") || [...text.matchAll(/[A-Za-z0-9+/]{20,}/g)].some(([word]) => Buffer.from(word, "base64").includes(info));
    expect(said, text).toBe(true);
    expect(lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  test("a GET whose message is not base64, though its URL says so, is refused", async () => {
    const { server } = await serveHttp({ getRun: () => ({}) });
    const response = await fetch(`${server.address}${getRun}?connect=v1&encoding=proto&base64=1&message=!!!`, { headers });
    expect([response.status, await response.json()]).toMatchObject([400, { code: "invalid_argument", details: [{ debug: { reason: "MALFORMED_FRAME" } }] }]);
  });

  test("a wrong verb is refused with the right one", async () => {
    const { server } = await serveHttp({ getRun: () => ({}) });
    const response = await fetch(server.address + getRun, { method: "DELETE", headers });
    expect([response.status, await response.json()]).toMatchObject([405, { message: expect.stringContaining("POST or GET") }]);
  });

  test("an unknown path is 404 with a Connect error, and UNIMPLEMENTED for gRPC", async () => {
    const { server } = await serveHttp({});
    const response = await fetch(`${server.address}/nowhere`);
    expect([response.status, await response.json()]).toMatchObject([404, { code: "unimplemented", message: expect.stringContaining("GET /nowhere") }]);
    const unknown = { ...RunService, typeName: "runlane.v1.Nonsense" };
    const method = { ...RunService.method.getRun, parent: unknown };
    for (const [, makeTransport] of ways) {
      const error = await failureOf(makeTransport(server).unary(method, undefined, undefined, undefined, {}));
      expect(reasonOf(error)).toBe("UNIMPLEMENTED");
    }
  });

  test("a process that serves no calls so far says UNAVAILABLE, and answers health", async () => {
    const server = await startHttpServer({ listen: "127.0.0.1:0", readiness: new Readiness(), logger: recordingLogger().logger });
    onTestFinished(() => server.close());
    const error = await failureOf(client(ways[0]![1](server)).getRun({}, { headers }));
    expect(reasonOf(error)).toBe("NO_SERVER");
    expect((await fetch(`${server.address}/livez`)).status).toBe(200);
  });

  test("/metrics tells the numbers of the process, without a key; where there are none, the path is unknown", async () => {
    const metrics = new Metrics();
    metrics.add({ name: "runlane_slots_held", help: "Slots.", type: "gauge", read: () => 7 });
    const { logger } = recordingLogger();
    const server = await startHttpServer({ listen: "127.0.0.1:0", readiness: new Readiness(), metrics, logger });
    onTestFinished(() => server.close());
    const response = await fetch(`${server.address}/metrics`);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
    expect(await response.text()).toContain("\nrunlane_slots_held 7\n");
    expect((await fetch(`${server.address}/metrics`, { method: "POST" })).status).toBe(405);
    const { server: without } = await serveHttp({});
    expect((await fetch(`${without.address}/metrics`)).status).toBe(404);
  });

  test("/livez is 200; /readyz is 200, or 503 with reasons; without a key, to the end", async () => {
    const { server, readiness } = await serveHttp({});
    const get = async (path: string) => {
      const response = await fetch(server.address + path);
      return [response.status, await response.text()];
    };
    expect(await get("/readyz")).toEqual([200, "ok\n"]);
    readiness.set("nats", false, "away");
    readiness.set("owner", true);
    expect(await get("/livez")).toEqual([200, "ok\n"]);
    expect(await get("/readyz")).toEqual([503, "nats: away\n"]);
    await server.drain(60_000);
    expect(await get("/readyz")).toEqual([503, "nats: away\n"]);
    expect((await fetch(`${server.address}/livez`, { method: "POST" })).status).toBe(405);
    await server.close();
    await expect(get("/livez")).rejects.toThrow();
  });
});
