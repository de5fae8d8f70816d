import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectError, createClient, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { type Authenticate, principalOf } from "../auth/principal.js";
import { reasonOf, refusal } from "../errors.js";
import { bidi } from "../grpc/bidi-stream.js";
import { grpcService } from "../grpc/grpc-service.js";
import { Readiness } from "../health/readiness.js";
import { PortTaken } from "../listening/listen.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { type HttpServer, type HttpServerOptions, startHttpServer } from "./http-server.js";

const authorization = "Bearer key";
const authenticate: Authenticate = (given) => {
  if (given === undefined) throw refusal("MISSING_KEY", "no key");
  if (given !== authorization) throw refusal("INVALID_KEY", "wrong key");
  return { environment: "dev" };
};
const headers = { authorization };

async function serve(implementation: Partial<ServiceImpl<typeof RunService>>, options: Partial<HttpServerOptions> = {}) {
  const { logger, lines } = recordingLogger();
  const readiness = new Readiness();
  const server = await startHttpServer({ listen: "127.0.0.1:0", readiness, logger, ...options });
  server.serve([grpcService(RunService, implementation)], authenticate);
  onTestFinished(() => server.close());
  return { server, readiness, lines };
}

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
const failure = (promise: Promise<unknown>): Promise<ConnectError> =>
  promise.then(
    () => Promise.reject(new Error("the call did not fail")),
    (error: ConnectError) => error,
  );
async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const received: T[] = [];
  for await (const message of messages) received.push(message);
  return received;
}

describe.each(ways)("%s", (_name, makeTransport) => {
  test("a call reaches its handler with the caller's environment", async () => {
    const { server } = await serve({ getRun: (request, context) => ({ run: { id: request.runId, taskId: principalOf(context).environment } }) });
    const { run } = await client(makeTransport(server)).getRun({ runId: "run_1" }, { headers });
    expect(run).toMatchObject({ id: "run_1", taskId: "dev" });
  });

  test("a server stream sends what its handler yields, and ends with its error", async () => {
    const { server } = await serve({
      async *triggerAndWait() {
        yield { run: { state: RunState.QUEUED } };
        yield { run: { state: RunState.COMPLETED } };
        throw refusal("RUN_NOT_FOUND", "gone", { resource: { type: "run", name: "run_1" } });
      },
    });
    const states: (RunState | undefined)[] = [];
    const error = await failure(
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
    const { server } = await serve({ getRun }, { maxReceiveBytes: 10 });
    const { getRun: call, triggerAndWait } = client(makeTransport(server));
    expect(reasonOf(await failure(call({ runId: "x".repeat(100) }, { headers: given })))).toBe(reason);
    expect(reasonOf(await failure(all(triggerAndWait({ requestId: "x".repeat(100) }, { headers: given }))))).toBe(reason);
    expect(getRun).not.toHaveBeenCalled();
  });

  test("a message over the limit and a method without a handler say so", async () => {
    const { server } = await serve({ getRun: () => ({}) }, { maxReceiveBytes: 50 });
    const { getRun, cancelRun, triggerAndWait } = client(makeTransport(server));
    expect(reasonOf(await failure(getRun({ runId: "x".repeat(100) }, { headers })))).toBe("FRAME_TOO_LARGE");
    expect(reasonOf(await failure(all(triggerAndWait({ requestId: "x".repeat(100) }, { headers }))))).toBe("FRAME_TOO_LARGE");
    expect(reasonOf(await failure(cancelRun({}, { headers })))).toBe("UNIMPLEMENTED");
    expect(reasonOf(await failure(all(triggerAndWait({}, { headers }))))).toBe("UNIMPLEMENTED");
  });

  test("a defect is told as an id; the log has the rest", async () => {
    const { server, lines } = await serve({ getRun: () => Promise.reject(new Error("the secret is 42")) });
    const error = await failure(client(makeTransport(server)).getRun({}, { headers }));
    expect(reasonOf(error)).toBe("INTERNAL");
    expect(error.message).not.toContain("secret");
    const id = error.findDetails(ErrorInfoSchema)[0]?.metadata.error_id;
    expect(JSON.stringify(lines.find((line) => line.errorId === id))).toContain("the secret is 42");
  });

  test("a deadline ends a call whose handler listens to nothing", async () => {
    const { server } = await serve({
      getRun: () => new Promise<never>(() => {}),
      async *triggerAndWait() {
        yield {};
        await new Promise(() => {});
      },
    });
    const { getRun, triggerAndWait } = client(makeTransport(server));
    // A client gives up at its own deadline; here the server is the quicker one.
    const timeout = { headers: { ...headers, "connect-timeout-ms": "50", "grpc-timeout": "50m" } };
    expect(reasonOf(await failure(getRun({}, timeout)))).toBe("DEADLINE_EXCEEDED");
    expect(reasonOf(await failure(all(triggerAndWait({}, timeout))))).toBe("DEADLINE_EXCEEDED");
  });

  test("a stream whose client goes away ends", async () => {
    let ended = false;
    const { server, lines } = await serve({
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
    await failure(
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
    const { server } = await serve({
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
    const stream = failure(
      (async () => {
        for await (const _ of triggerAndWait({}, { headers })) begun();
      })(),
    );
    const late = getRun({}, { headers });
    const never = failure(cancelRun({}, { headers }));
    await vi.waitFor(() => expect(begun).toHaveBeenCalledTimes(3));
    const drained = server.drain(1_500);
    expect(reasonOf(await stream)).toBe("DRAINING");
    answer();
    expect((await late).run?.id).toBe("late");
    expect(reasonOf(await never)).toBe("DRAINING");
    await drained;
    expect(reasonOf(await failure(client(makeTransport(server)).getRun({}, { headers })))).toBe("DRAINING");
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
    const { server } = await serve({ triggerStream: echo });
    const transport = createGrpcTransport({ baseUrl: server.address, ...http2Session });
    const received = await all(client(transport).triggerStream(two(), { headers }));
    expect(received.map(({ frame }) => frame.case === "outcomes" && frame.value.requestId)).toEqual(["a", "b"]);
  });

  test("is refused over HTTP/1.1, with words", async () => {
    const { server } = await serve({ triggerStream: echo });
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
    const { server } = await serve({ getRun: ({ runId }) => ({ run: { id: runId } }) });
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
    const { server } = await serve({ getRun: () => ({}) });
    const response = await post(server, body, more);
    expect(response.status).toBe(status);
    const { details } = (await response.json()) as { details: { type: string; debug: { reason: string } }[] };
    expect(details[0]).toMatchObject({ type: "google.rpc.ErrorInfo", debug: { reason } });
  });

  test("a wrong verb is refused with the right one", async () => {
    const { server } = await serve({ getRun: () => ({}) });
    const response = await fetch(server.address + getRun, { method: "DELETE", headers });
    expect([response.status, await response.json()]).toMatchObject([405, { message: expect.stringContaining("POST or GET") }]);
  });

  test("an unknown path is 404 with a Connect error, and UNIMPLEMENTED for gRPC", async () => {
    const { server } = await serve({});
    const response = await fetch(`${server.address}/nowhere`);
    expect([response.status, await response.json()]).toMatchObject([404, { code: "unimplemented", message: expect.stringContaining("GET /nowhere") }]);
    const unknown = { ...RunService, typeName: "runlane.v1.Nonsense" };
    const method = { ...RunService.method.getRun, parent: unknown };
    for (const [, makeTransport] of ways) {
      const error = await failure(makeTransport(server).unary(method, undefined, undefined, undefined, {}));
      expect(reasonOf(error)).toBe("UNIMPLEMENTED");
    }
  });

  test("a process that serves no calls so far says UNAVAILABLE, and answers health", async () => {
    const server = await startHttpServer({ listen: "127.0.0.1:0", readiness: new Readiness(), logger: recordingLogger().logger });
    onTestFinished(() => server.close());
    const error = await failure(client(ways[0]![1](server)).getRun({}, { headers }));
    expect(reasonOf(error)).toBe("NO_SERVER");
    expect((await fetch(`${server.address}/livez`)).status).toBe(200);
  });

  test("/livez is 200; /readyz is 200, or 503 with reasons; without a key, to the end", async () => {
    const { server, readiness } = await serve({});
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

describe("CORS", () => {
  const preflight = (server: HttpServer, origin: string) =>
    fetch(`${server.address}/runlane.v1.RunService/TriggerTasks`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,connect-protocol-version" },
    });

  test.each([
    ["http://localhost:5173", [], true],
    ["http://127.0.0.1:80", [], true],
    ["https://app.example.com", [], false],
    ["http://localhost.evil.example", [], false],
    ["https://app.example.com", ["https://app.example.com"], true],
    ["https://app.example.com", ["*"], true],
    ["null", ["https://app.example.com"], false],
  ])("a page of %s, with %j allowed: %s", async (origin, corsOrigins, allowed) => {
    const { server } = await serve({ getRun: () => ({}) }, { corsOrigins });
    const answer = await preflight(server, origin);
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null);
    expect(answer.headers.get("access-control-max-age")).toBe(allowed ? "7200" : null);
    const call = await fetch(`${server.address}/runlane.v1.RunService/GetRun`, {
      method: "POST",
      headers: { ...headers, origin, "content-type": "application/json" },
      body: "{}",
    });
    expect(call.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null);
    expect(call.headers.get("vary")).toBe("Origin");
    if (allowed) {
      expect(answer.headers.get("access-control-allow-headers")?.toLowerCase()).toMatch(/authorization.*connect-protocol-version.*x-grpc-web/);
      expect(call.headers.get("access-control-expose-headers")?.toLowerCase()).toContain("grpc-status-details-bin");
    }
  });

  test("an origin with a path is none", async () => {
    await expect(serve({}, { corsOrigins: ["https://app.example.com/"] })).rejects.toThrow('"https://app.example.com/" is no origin');
  });
});

describe("connections", () => {
  /** Sends bytes, and resolves with what came back when the server has closed the connection. */
  function raw(server: HttpServer, bytes: string): Promise<string> {
    return new Promise((resolve) => {
      let received = "";
      const socket = net.connect(server.port, "127.0.0.1", () => void socket.write(bytes));
      socket.on("data", (chunk) => (received += chunk));
      socket.on("error", () => {});
      socket.on("close", () => resolve(received));
    });
  }

  test.each([
    ["nothing", "", ""],
    ["half of HTTP/2's preface", "PR", ""],
    ["half a header", "POST / HTTP/1.1\r\nHost:", "408"],
    [
      "half a body",
      "POST /runlane.v1.RunService/GetRun HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
      "408",
    ],
  ])("a client that sends %s, and no more, is dropped", async (_what, bytes, answer) => {
    const { server } = await serve({ getRun: () => ({}) }, { headersTimeoutMs: 100, requestTimeoutMs: 300 });
    expect(await raw(server, bytes)).toContain(answer);
  });

  test("bytes may arrive one by one", async () => {
    const { server } = await serve({});
    const socket = net.connect(server.port, "127.0.0.1");
    socket.setNoDelay();
    onTestFinished(() => void socket.destroy());
    let received = "";
    socket.on("data", (chunk) => (received += chunk));
    for (const byte of "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n") {
      socket.write(byte);
      await sleep(1);
    }
    await vi.waitFor(() => expect(received).toContain("200 OK"));
  });

  test.each([
    ["without a host", "GET /livez HTTP/1.0\r\n\r\n", "400"],
    ["with a host that is none", "GET /livez HTTP/1.1\r\nHost: [\r\n\r\n", "400"],
    ["that is no HTTP", "\x16\x03\x01\x02\x00\r\n\r\n", "400"],
  ])("a request %s is answered, and harms nobody", async (_what, bytes, status) => {
    const { server } = await serve({}, { idleTimeoutMs: 50 });
    expect(await raw(server, bytes)).toContain(status);
    expect((await fetch(`${server.address}/livez`)).status).toBe(200);
  });

  test("an idle connection is closed, over HTTP/1.1 and HTTP/2", async () => {
    const { server } = await serve({}, { idleTimeoutMs: 100 });
    await raw(server, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    const session = http2.connect(server.address);
    const closed = new Promise((resolve) => session.once("close", resolve));
    await closed;
  });

  test("a connection that is idle does not delay the end", async () => {
    const { server } = await serve({});
    const agent = new http.Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    await new Promise<void>((resolve) => http.get(`${server.address}/livez`, { agent }, (response) => response.resume().on("end", resolve)));
    const session = http2.connect(server.address);
    await new Promise((resolve) => session.once("connect", resolve));
    const silent = net.connect(server.port, "127.0.0.1");
    await new Promise((resolve) => silent.once("connect", resolve));
    const goneAway = new Promise((resolve) => session.once("goaway", resolve));
    silent.on("error", () => {});
    await Promise.all([server.drain(60_000), goneAway]);
  });

  test("a taken port is named, with the option that chooses another", async () => {
    const { server } = await serve({});
    const second = serve({}, { listen: `127.0.0.1:${server.port}` });
    await expect(second).rejects.toThrow(`port ${server.port} on 127.0.0.1 is taken: stop what listens there, or choose another with --http-listen`);
    await expect(second).rejects.toBeInstanceOf(PortTaken);
  });
});
