import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { type Authenticate, principalOf } from "../auth/principal.js";
import { reasonOf, refusal } from "../errors.js";
import { PortTaken } from "../listening/listen.js";
import type { ListeningServer } from "../listening/listening-server.js";
import { GrpcTestClient } from "../testing/grpc-test-client.js";
import { rawHttp2Call } from "../testing/raw-http2-call.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { type GrpcServerOptions, startGrpcServer } from "./grpc-server.js";
import { grpcService } from "./grpc-service.js";

const { getRun, triggerTasks, triggerAndWait, triggerStream, cancelRun } = RunService.method;
const authorization = "Bearer key";
const authenticate: Authenticate = (given) => {
  if (given === undefined) throw refusal("MISSING_KEY", "no key");
  if (given !== authorization) throw refusal("INVALID_KEY", "wrong key");
  return { environment: "dev" };
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(implementation: Partial<ServiceImpl<typeof RunService>>, options: Partial<GrpcServerOptions> = {}) {
  const { logger, lines } = recordingLogger();
  const server = await startGrpcServer({ listen: "127.0.0.1:0", services: [grpcService(RunService, implementation)], authenticate, logger, ...options });
  cleanups.push(() => server.close());
  return { server, lines, client: connect(server) };
}

function connect(server: ListeningServer): GrpcTestClient {
  const client = new GrpcTestClient(server.port);
  cleanups.push(() => client.close());
  return client;
}

const failure = (promise: Promise<unknown>): Promise<ConnectError> =>
  promise.then(
    () => Promise.reject(new Error("the call did not fail")),
    (error: ConnectError) => error,
  );

describe("a unary call", () => {
  test("reaches its handler with the caller's environment, and brings back the response", async () => {
    const { client } = await serve({ getRun: (request, context) => ({ run: { id: request.runId, taskId: principalOf(context).environment } }) });
    const { run } = await client.call(getRun, { runId: "run_1" }, { authorization });
    expect(run).toMatchObject({ id: "run_1", taskId: "dev" });
  });

  test("hands its metadata and deadline to the handler", async () => {
    const seen = vi.fn();
    const { client } = await serve({
      getRun: (_request, context) => {
        seen(context.requestHeader.get("authorization"), context.timeoutMs(), context.url);
        return {};
      },
    });
    await client.call(getRun, {}, { authorization, timeoutMs: 60_000 });
    const [header, timeoutMs, url] = seen.mock.calls[0] ?? [];
    expect(header).toBe(authorization);
    expect(timeoutMs).toBeGreaterThan(50_000);
    expect(timeoutMs).toBeLessThanOrEqual(60_000);
    expect(url).toMatch(/\/runlane\.v1\.RunService\/GetRun$/);
  });

  test("sends headers and trailers that the handler sets", async () => {
    const { client } = await serve({
      getRun: (_request, context) => {
        context.responseHeader.set("x-first", "1");
        return {};
      },
    });
    const call = client.open(getRun, { authorization });
    call.send({});
    call.end();
    expect((await call.headers).get("x-first")).toEqual(["1"]);
    expect(await call.ended).toBeUndefined();
  });

  test("sees its signal aborted when the deadline passes, and fails with DEADLINE_EXCEEDED", async () => {
    const { client } = await serve({
      getRun: (_request, context) =>
        new Promise((_resolve, reject) => {
          context.signal.addEventListener("abort", () => reject(context.signal.reason));
        }),
    });
    const error = await failure(client.call(getRun, {}, { authorization, timeoutMs: 50 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test("sees its signal aborted when the client goes away", async () => {
    let gone: Promise<unknown> | undefined;
    const { client } = await serve({
      getRun: (_request, context) => {
        gone = new Promise((resolve) => context.signal.addEventListener("abort", () => resolve(context.signal.reason)));
        return new Promise<never>(() => {});
      },
    });
    const call = client.open(getRun, { authorization });
    call.send({});
    call.end();
    await vi.waitFor(() => expect(gone).toBeDefined());
    call.cancel();
    expect(await gone).toMatchObject({ code: Code.Canceled });
  });
});

describe("refusals", () => {
  test("a call without a key is refused with MISSING_KEY before its handler is asked", async () => {
    const handler = vi.fn(() => ({}));
    const { client } = await serve({ getRun: handler });
    const error = await failure(client.call(getRun, {}));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(reasonOf(error)).toBe("MISSING_KEY");
    expect(handler).not.toHaveBeenCalled();
  });

  test("a stream with a wrong key is refused with INVALID_KEY", async () => {
    const { client } = await serve({});
    const error = await client.open(triggerStream, { authorization: "Bearer other" }).ended;
    expect(reasonOf(error)).toBe("INVALID_KEY");
  });

  test("an error crosses with its code, message and details", async () => {
    const { client } = await serve({
      triggerTasks: () => {
        throw refusal("INVALID_FIELD", "no such — thing", { violations: [{ field: "items[0].task_id", description: "is empty" }] });
      },
    });
    const error = await failure(client.call(triggerTasks, {}, { authorization }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toBe("no such — thing");
    expect(reasonOf(error)).toBe("INVALID_FIELD");
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]).toMatchObject({ field: "items[0].task_id", description: "is empty" });
  });

  test.each([
    ["long", "x".repeat(100_000)],
    ["half a surrogate pair", "\ud83d"],
    ["no ASCII", "…ü".repeat(5_000)],
  ])("a message that is %s does no harm", async (_name, message) => {
    const { client } = await serve({
      getRun: () => {
        throw refusal("INVALID_FIELD", message, {
          violations: Array.from({ length: 5_000 }, (_, i) => ({ field: `f${i}`, description: message.slice(0, 10) })),
        });
      },
    });
    const error = await failure(client.call(getRun, {}, { authorization }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(reasonOf(error)).toBe("INVALID_FIELD");
    expect(error.rawMessage.length).toBeLessThan(1_100);
  });

  test("a defect is INTERNAL with an id; its text is in the log and nowhere else", async () => {
    const { client, lines } = await serve({
      getRun: async () => {
        throw new TypeError("the secret is 42");
      },
    });
    const error = await failure(client.call(getRun, {}, { authorization }));
    expect(error.code).toBe(Code.Internal);
    expect(reasonOf(error)).toBe("INTERNAL");
    expect(JSON.stringify(error.details) + error.message).not.toContain("secret");
    const id = error.findDetails(ErrorInfoSchema)[0]?.metadata.error_id;
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const line = lines.find((entry) => entry.errorId === id);
    expect(JSON.stringify(line)).toContain("the secret is 42");
  });

  test("an error of a stranger in a ConnectError's clothes is a defect too", async () => {
    const { client } = await serve({ getRun: () => Promise.reject(ConnectError.from(new Error("the secret"))) });
    const error = await failure(client.call(getRun, {}, { authorization }));
    expect(reasonOf(error)).toBe("INTERNAL");
    expect(error.message).not.toContain("secret");
  });

  test("bytes that are no message are INVALID_ARGUMENT with reason MALFORMED_FRAME", async () => {
    const { client } = await serve({ getRun: () => ({}) });
    const error = await failure(client.call(getRun, new Uint8Array([0x0a, 0xff, 0xff]), { authorization }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(reasonOf(error)).toBe("MALFORMED_FRAME");
  });

  test("a message over the limit is RESOURCE_EXHAUSTED with reason FRAME_TOO_LARGE", async () => {
    const { client } = await serve({ getRun: () => ({}) });
    const error = await failure(client.call(getRun, new Uint8Array(4 * 1024 * 1024 + 1), { authorization }));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(reasonOf(error)).toBe("FRAME_TOO_LARGE");
  });

  test("methods without a handler, and unknown ones, are UNIMPLEMENTED", async () => {
    const { client } = await serve({ getRun: () => ({}) });
    const error = await failure(client.call(cancelRun, {}, { authorization }));
    expect(error.code).toBe(Code.Unimplemented);
    expect(reasonOf(error)).toBe("UNIMPLEMENTED");
    const unknown = await failure(client.call({ ...getRun, name: "Nonsense" }, {}, { authorization }));
    expect(reasonOf(unknown)).toBe("UNIMPLEMENTED");
  });

  test("a unary call without a message, or with two, is refused", async () => {
    const { client } = await serve({ getRun: () => ({}) });
    const none = client.open(getRun, { authorization });
    none.end();
    expect((await none.ended)?.code).toBe(Code.Unimplemented);
    const two = client.open(getRun, { authorization });
    two.send({});
    two.send({});
    two.end();
    expect((await two.ended)?.code).toBe(Code.Unimplemented);
  });
});

describe("a server stream", () => {
  test("sends headers at once and what its handler yields, then ends", async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { client } = await serve({
      async *triggerAndWait(request) {
        await gate;
        yield { run: { id: request.requestId, state: RunState.QUEUED } };
        yield { run: { id: request.requestId, state: RunState.COMPLETED } };
      },
    });
    const call = client.open(triggerAndWait, { authorization });
    call.send({ requestId: "r" });
    call.end();
    await call.headers;
    go();
    expect((await call.next()).run?.state).toBe(RunState.QUEUED);
    expect((await call.next()).run?.state).toBe(RunState.COMPLETED);
    expect(await call.ended).toBeUndefined();
  });

  test("does not read ahead of a client that does not read", async () => {
    let yielded = 0;
    const { client } = await serve({
      async *triggerAndWait() {
        for (; yielded < 1_000; yielded++) yield { run: { id: "x".repeat(100_000) } };
      },
    });
    const call = client.open(triggerAndWait, { authorization });
    call.send({});
    call.end();
    await call.next();
    call.pause();
    await vi.waitFor(async () => {
      const before = yielded;
      await sleep(50);
      expect(yielded).toBe(before);
    });
    expect(yielded).toBeLessThan(100);
    call.resume();
    expect(await call.ended).toBeUndefined();
    expect(yielded).toBe(1_000);
  });

  test("ends a generator that waits with its signal when the client goes away", async () => {
    let ended = false;
    const { client, lines } = await serve({
      async *triggerAndWait(_request, context) {
        try {
          yield { run: { id: "first" } };
          await sleep(60_000, undefined, { signal: context.signal });
        } finally {
          ended = true;
        }
      },
    });
    const call = client.open(triggerAndWait, { authorization });
    call.send({});
    call.end();
    await call.next();
    call.cancel();
    await vi.waitFor(() => expect(ended).toBe(true));
    expect(lines).toEqual([]);
  });

  test("that fails after its first message ends with its error", async () => {
    const { client } = await serve({
      async *triggerAndWait() {
        yield {};
        throw refusal("RUN_NOT_FOUND", "gone");
      },
    });
    const call = client.open(triggerAndWait, { authorization });
    call.send({});
    call.end();
    await call.next();
    expect(reasonOf(await call.ended)).toBe("RUN_NOT_FOUND");
  });
});

describe("the server", () => {
  test("names the port that is taken", async () => {
    const { server } = await serve({});
    const { logger } = recordingLogger();
    const second = startGrpcServer({ listen: `127.0.0.1:${server.port}`, services: [], authenticate, logger });
    await expect(second).rejects.toThrow(`port ${server.port} on 127.0.0.1 is taken`);
    await expect(second).rejects.toBeInstanceOf(PortTaken);
  });

  test("frees its port when it closes, and ends what runs with DRAINING", async () => {
    const getRunForEver = vi.fn(() => new Promise<never>(() => {}));
    const { server, client } = await serve({ getRun: getRunForEver });
    const call = client.open(getRun, { authorization });
    call.send({});
    call.end();
    const stream = client.open(triggerStream, { authorization });
    expect((await stream.ended)?.code).toBe(Code.Unimplemented);
    await vi.waitFor(() => expect(getRunForEver).toHaveBeenCalled());
    await server.close();
    expect(reasonOf(await call.ended)).toBe("DRAINING");
    const { server: next } = await serve({}, { listen: { host: "127.0.0.1", port: server.port } });
    expect(next.port).toBe(server.port);
  });

  test("waits for calls under way while it drains, and takes no new connection", async () => {
    let go = () => {};
    const started = vi.fn();
    const { server, client } = await serve({
      getRun: () => {
        started();
        return new Promise((resolve) => {
          go = () => resolve({ run: { id: "late" } });
        });
      },
    });
    const call = client.call(getRun, {}, { authorization });
    await vi.waitFor(() => expect(started).toHaveBeenCalled());
    let drained = false;
    const draining = server.drain(60_000).then(() => {
      drained = true;
    });
    const error = await failure(connect(server).call(getRun, {}, { authorization }));
    expect(error.code).toBe(Code.Unavailable);
    expect(drained).toBe(false);
    go();
    expect((await call).run?.id).toBe("late");
    await draining;
  });

  test("cuts a drain short when it is closed", async () => {
    const getRunForEver = vi.fn(() => new Promise<never>(() => {}));
    const { server, client } = await serve({ getRun: getRunForEver });
    const call = client.open(getRun, { authorization });
    call.send({});
    call.end();
    await vi.waitFor(() => expect(getRunForEver).toHaveBeenCalled());
    const draining = server.drain(60_000);
    await server.close();
    await draining;
    expect(reasonOf(await call.ended)).toBe("DRAINING");
  });

  test("drops a connection that answers no ping, and its calls", async () => {
    const gone = vi.fn();
    const { server } = await serve(
      {
        async *triggerStream(_requests, context) {
          yield {};
          await sleep(60_000, undefined, { signal: context.signal }).finally(() => gone(context.signal.reason));
        },
      },
      { keepaliveTimeMs: 50, keepaliveTimeoutMs: 50, authenticate: () => ({ environment: "dev" }) },
    );
    const call = await rawHttp2Call(server.port, "/runlane.v1.RunService/TriggerStream", []);
    await call.closed;
    await vi.waitFor(() => expect(gone).toHaveBeenCalledWith(expect.objectContaining({ code: Code.Canceled })));
  });

  test("asks clients to connect anew when a connection has reached its age", async () => {
    const { server, client } = await serve({ getRun: () => ({}) }, { maxConnectionAgeMs: 50, maxConnectionAgeGraceMs: 50 });
    const call = client.open(triggerStream, { authorization });
    await expect(call.ended).resolves.toBeInstanceOf(ConnectError);
    await vi.waitFor(() => client.call(getRun, {}, { authorization }));
    expect(server.port).toBeGreaterThan(0);
  });
});

describe("a client that speaks HTTP/1.1", () => {
  test("is told which port to try, and hears nothing of HTTP/2", async () => {
    const { server } = await serve({});
    const response = await fetch(`http://127.0.0.1:${server.port}/`, { method: "POST", body: "{}" });
    expect(response.status).toBe(505);
    expect(await response.text()).toBe(
      "This port speaks gRPC, over HTTP/2. Connect, gRPC-Web and JSON over HTTP/1.1 have a port of their own: 7401, or what --http-listen says.\n",
    );
  });
});
