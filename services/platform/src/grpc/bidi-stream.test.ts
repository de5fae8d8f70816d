import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { RunService, TriggerStreamRequestSchema, type TriggerStreamResponseSchema } from "#gen/runlane/v1/run_service_pb.js";
import { WorkerService, WorkRequestSchema, WorkResponseSchema } from "#gen/runlane/v1/worker_service_pb.js";
import { principalOf } from "../auth/principal.js";
import { reasonOf, refusal } from "../errors.js";
import { GrpcTestClient, type TestCall } from "../testing/grpc-test-client.js";
import { rawHttp2Call } from "../testing/raw-http2-call.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { type BidiHandler, type BidiStream, bidi, rawBidi } from "./bidi-stream.js";
import { startGrpcServer } from "./grpc-server.js";
import { grpcService } from "./grpc-service.js";

const { triggerStream } = RunService.method;
const { work } = WorkerService.method;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(runs: Partial<ServiceImpl<typeof RunService>>, workers: Partial<ServiceImpl<typeof WorkerService>> = {}, maxBufferedBytes?: number) {
  const { logger, lines } = recordingLogger();
  const server = await startGrpcServer({
    listen: "127.0.0.1:0",
    services: [grpcService(RunService, runs), grpcService(WorkerService, workers)],
    authenticate: () => ({ environment: "dev" }),
    logger,
    maxBufferedBytes,
  });
  cleanups.push(() => server.close());
  const client = new GrpcTestClient(server.port);
  cleanups.push(() => client.close());
  return { client, lines, port: server.port };
}

const request = (id: string) => create(TriggerStreamRequestSchema, { frame: { case: "unwatch", value: { runIds: [id] } } });
const idOf = (message: { frame: { case?: string; value?: unknown } }) => message.frame.value as { runIds?: string[]; unknownRunIds?: string[] };
const response = (id: string) => ({ frame: { case: "results" as const, value: { unknownRunIds: [id] } } });

const echo: ServiceImpl<typeof RunService>["triggerStream"] = bidi(triggerStream, (stream) => ({
  onMessage: (message) => stream.send(response(idOf(message).runIds?.[0] ?? "")),
}));

const echoAsIterable: ServiceImpl<typeof RunService>["triggerStream"] = async function* (requests) {
  for await (const message of requests) yield response(idOf(message).runIds?.[0] ?? "");
};

async function expectEcho(call: TestCall<typeof TriggerStreamRequestSchema, typeof TriggerStreamResponseSchema>): Promise<void> {
  await call.headers;
  const count = 3_000;
  for (let i = 0; i < count; i++) call.send(request(`run_${i}`));
  call.end();
  for (let i = 0; i < count; i++) expect(idOf(await call.next()).unknownRunIds).toEqual([`run_${i}`]);
  expect(await call.ended).toBeUndefined();
}

describe("a bidi handler over gRPC", () => {
  test("in callback form answers in order and ends with the client", async () => {
    const { client } = await serve({ triggerStream: echo });
    await expectEcho(client.open(triggerStream));
  });

  test("in Connect's form answers in order and ends with the client", async () => {
    const { client } = await serve({ triggerStream: echoAsIterable });
    await expectEcho(client.open(triggerStream));
  });

  test("knows who calls, and can speak first", async () => {
    const { client } = await serve({
      triggerStream: bidi(triggerStream, (stream, context) => {
        stream.send(response(principalOf(context).environment));
        return { onMessage: () => {} };
      }),
    });
    expect(idOf(await client.open(triggerStream).next()).unknownRunIds).toEqual(["dev"]);
  });

  test("refuses a stream, and ends one, with an error of its choice", async () => {
    const { client } = await serve({
      triggerStream: bidi(triggerStream, (stream, context) => {
        if (context.requestHeader.get("authorization") === "never") throw refusal("OVERLOADED", "not now");
        return { onMessage: () => stream.end(refusal("STALE_ATTEMPT", "too late")) };
      }),
    });
    expect(reasonOf(await client.open(triggerStream, { authorization: "never" }).ended)).toBe("OVERLOADED");
    const call = client.open(triggerStream);
    call.send(request("run_1"));
    expect(reasonOf(await call.ended)).toBe("STALE_ATTEMPT");
  });

  test("that throws at a message, or sends what is none, ends the stream with INTERNAL", async () => {
    const { client, lines } = await serve({
      triggerStream: bidi(triggerStream, (stream) => ({
        onMessage: (message) => {
          if (idOf(message).runIds?.[0] === "throw") throw new Error("bug one");
          stream.send({ frame: { case: "outcomes", value: { error: { code: 1.5 } } } });
        },
      })),
    });
    for (const id of ["throw", "send"]) {
      const call = client.open(triggerStream);
      call.send(request(id));
      expect(reasonOf(await call.ended)).toBe("INTERNAL");
    }
    expect(lines).toHaveLength(2);
  });

  test("hears once, and last, how the stream ended", async () => {
    const closes: Record<string, ConnectError | undefined> = {};
    let opened = 0;
    let closed = 0;
    const { client, port } = await serve({
      triggerStream: bidi(triggerStream, (stream) => {
        let id = "";
        opened++;
        return {
          onMessage: (message) => {
            id = idOf(message).runIds?.[0] ?? "";
            if (id === "end") stream.end();
            stream.send(response(id));
          },
          onClose: (error) => {
            closes[id] = error;
            closed++;
            stream.end();
            expect(stream.send(response(id))).toBe(false);
          },
        };
      }),
    });
    const ended = client.open(triggerStream);
    ended.send(request("end"));
    expect(await ended.ended).toBeUndefined();

    const cancelled = client.open(triggerStream);
    cancelled.send(request("cancelled"));
    await cancelled.next();
    cancelled.cancel();

    const malformed = client.open(triggerStream);
    malformed.send(request("malformed"));
    await malformed.next();
    malformed.send(new Uint8Array([0x0a, 0xff, 0xff]));
    expect(reasonOf(await malformed.ended)).toBe("MALFORMED_FRAME");

    const path = "/runlane.v1.RunService/TriggerStream";
    const reset = await rawHttp2Call(port, path, [toBinary(TriggerStreamRequestSchema, request("reset"))]);
    const broken = await rawHttp2Call(port, path, [toBinary(TriggerStreamRequestSchema, request("broken"))]);
    await rawHttp2Call(port, path, [toBinary(TriggerStreamRequestSchema, request("late"))], "100m");
    await vi.waitFor(() => expect(opened).toBe(6));
    reset.reset();
    broken.breakConnection();

    await vi.waitFor(() => expect(closed).toBe(6));
    expect(Object.keys(closes).sort()).toEqual(["broken", "cancelled", "end", "late", "malformed", "reset"]);
    expect(closes.end).toBeUndefined();
    expect(reasonOf(closes.malformed)).toBe("MALFORMED_FRAME");
    expect(closes.late?.code).toBe(Code.DeadlineExceeded);
    expect(closes.reset?.code).toBe(Code.Canceled);
    expect(closes.broken?.code).toBe(Code.Canceled);
  });

  test("reads nothing while it pauses, and everything after", async () => {
    let stream: BidiStream<unknown> | undefined;
    let seen = 0;
    const { client } = await serve({
      triggerStream: bidi(triggerStream, (opened) => {
        stream = opened;
        opened.pause();
        return { onMessage: () => seen++ };
      }),
    });
    const call = client.open(triggerStream);
    for (let i = 0; i < 20_000; i++) call.send(request("x"));
    call.end();
    await call.headers;
    expect(seen).toBe(0);
    stream?.resume();
    expect(await call.ended).toBeUndefined();
    expect(seen).toBe(20_000);
  });

  test("is told to stop sending, and when to go on", async () => {
    // grpc-js clients read 16 messages ahead of a reader that has paused.
    const big = response("x".repeat(100_000));
    const drained = vi.fn();
    let full = false;
    const { client } = await serve({
      triggerStream: bidi(triggerStream, (stream) => ({
        onMessage: () => {
          for (let sent = 0; sent < 40; sent++) full = !stream.send(big);
        },
        onDrain: () => {
          drained();
          stream.end();
        },
      })),
    });
    const call = client.open(triggerStream);
    call.pause();
    call.send(request("go"));
    await vi.waitFor(() => expect(full).toBe(true));
    expect(drained).not.toHaveBeenCalled();
    call.resume();
    expect(await call.ended).toBeUndefined();
    expect(drained).toHaveBeenCalledTimes(1);
  });

  test("cuts off a client that never reads", async () => {
    const closed = vi.fn();
    const { client, lines } = await serve(
      {
        triggerStream: bidi(triggerStream, (stream) => ({
          onMessage: () => {
            while (stream.open) stream.send(response("x".repeat(100_000)));
          },
          onClose: closed,
        })),
      },
      {},
      4 * 1024 * 1024,
    );
    const call = client.open(triggerStream);
    call.pause();
    call.send(request("go"));
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(1));
    expect(reasonOf(closed.mock.calls[0]?.[0])).toBe("OVERLOADED");
    expect(lines).toHaveLength(1);
  });

  test("in Connect's form hears of a client that goes away in its requests and its signal", async () => {
    const heard: unknown[] = [];
    let started = false;
    const { port, lines } = await serve({
      async *triggerStream(requests, context) {
        started = true;
        context.signal.addEventListener("abort", () => heard.push(context.signal.reason));
        try {
          for await (const message of requests) yield response(idOf(message).runIds?.[0] ?? "");
        } catch (error) {
          heard.push(error);
          throw error;
        }
      },
    });
    const call = await rawHttp2Call(port, "/runlane.v1.RunService/TriggerStream", []);
    await vi.waitFor(() => expect(started).toBe(true));
    call.reset();
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect(heard).toEqual([expect.objectContaining({ code: Code.Canceled }), expect.objectContaining({ code: Code.Canceled })]);
    expect(lines).toEqual([]);
  });
});

describe("a raw bidi handler", () => {
  const relay: BidiHandler<Uint8Array, Uint8Array> = (stream) => ({
    onMessage(bytes) {
      const { hello } = fromBinary(WorkRequestSchema, bytes);
      stream.send(toBinary(WorkResponseSchema, create(WorkResponseSchema, { welcome: { sessionId: hello?.workerId ?? "none" } })));
    },
  });

  test("gets and sends bytes over gRPC, even malformed ones", async () => {
    const seen: number[][] = [];
    const { client } = await serve(
      {},
      {
        work: rawBidi(work, (stream, context) => {
          const inner = relay(stream, context);
          return {
            onMessage(bytes) {
              seen.push([...bytes]);
              if (bytes[0] !== 0xff) inner.onMessage(bytes);
            },
          };
        }),
      },
    );
    const call = client.open(work);
    call.send(new Uint8Array([0xff, 0xff]));
    call.send({ hello: { workerId: "w" } });
    expect((await call.next()).welcome?.sessionId).toBe("w");
    expect(seen[0]).toEqual([0xff, 0xff]);
  });

  test("is served by Connect as well", async () => {
    const transport = createRouterTransport(({ service }) => {
      service(WorkerService, { work: rawBidi(work, relay) });
    });
    const client = createClient(WorkerService, transport);
    const answers: string[] = [];
    for await (const answer of client.work(requestsOf({ hello: { workerId: "a" } }, { hello: { workerId: "b" } })))
      answers.push(answer.welcome?.sessionId ?? "");
    expect(answers).toEqual(["a", "b"]);
  });
});

describe("a callback handler served by Connect", () => {
  const clientOf = (triggerStreamImplementation: ServiceImpl<typeof RunService>["triggerStream"]) =>
    createClient(
      RunService,
      createRouterTransport(({ service }) => {
        service(RunService, { triggerStream: triggerStreamImplementation });
      }),
    );

  test("answers in order and ends with the client", async () => {
    const ids = Array.from({ length: 500 }, (_, i) => `run_${i}`);
    const answers: string[] = [];
    for await (const answer of clientOf(echo).triggerStream(requestsOf(...ids.map(request)))) answers.push(...(idOf(answer).unknownRunIds ?? []));
    expect(answers).toEqual(ids);
  });

  test("ends with its error, and is told when the client goes away", async () => {
    const closed = vi.fn();
    const client = clientOf(
      bidi(triggerStream, (stream) => ({
        onMessage: (message) => {
          if (idOf(message).runIds?.[0] === "fail") stream.end(refusal("STALE_ATTEMPT", "too late"));
          else stream.send(response("x"));
        },
        onClose: closed,
      })),
    );
    const failed = (async () => {
      for await (const _ of client.triggerStream(requestsOf(request("fail"))));
    })();
    expect(reasonOf(await failed.catch((error) => error))).toBe("STALE_ATTEMPT");
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(1));
    expect(closed).toHaveBeenLastCalledWith(undefined);

    const gone = new AbortController();
    const cancelled = (async () => {
      for await (const _ of client.triggerStream(forever(request("x")), { signal: gone.signal })) gone.abort();
    })();
    expect(ConnectError.from(await cancelled.catch((error) => error)).code).toBe(Code.Canceled);
    await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(2));
    expect(closed).toHaveBeenLastCalledWith(expect.objectContaining({ code: Code.Canceled }));
  });
});

async function* requestsOf<T>(...messages: T[]): AsyncGenerator<T> {
  yield* messages;
}

async function* forever<T>(message: T): AsyncGenerator<T> {
  yield message;
  await new Promise<never>(() => {});
}
