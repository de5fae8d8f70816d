import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, expect, test } from "vitest";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { type FakeServer, type FakeService, failureOf, refusalStatus, startFakeServer } from "../testing/fake-server.js";
import { createGrpcConnection, type GrpcConnection } from "./grpc-connection.js";
import { retryDelayOf } from "./grpc-error.js";
import { createGrpcTransport } from "./grpc-transport.js";

let server: FakeServer | undefined;
let connection: GrpcConnection | undefined;

afterEach(async () => {
  connection?.close();
  await server?.stop();
});

async function clientOf(service: FakeService<typeof RunService>, key = "rl_dev_test") {
  server = await startFakeServer([[RunService, service]]);
  connection = createGrpcConnection(server.address, key);
  return createClient(
    RunService,
    createGrpcTransport(() => connection!),
  );
}

test("a unary call carries the key and the caller's headers, and gives message, header and trailer", async () => {
  let authorization: unknown;
  let extra: unknown;
  const client = await clientOf({
    getRun: (call) =>
      call.onMessage((request) => {
        [authorization] = call.metadata.get("authorization");
        [extra] = call.metadata.get("x-extra");
        call.send({ run: { id: request.runId, state: RunState.EXECUTING } });
        call.end(undefined, { "x-trailer": "t" });
      }),
  });
  let trailer: Headers | undefined;
  const response = await client.getRun(
    { runId: "run_1" },
    {
      headers: { "X-Extra": "e" },
      onTrailer: (headers) => {
        trailer = headers;
      },
    },
  );
  expect(response.run).toMatchObject({ id: "run_1", state: RunState.EXECUTING });
  expect(authorization).toBe("Bearer rl_dev_test");
  expect(extra).toBe("e");
  expect(trailer?.get("x-trailer")).toBe("t");
});

test("an error comes with its code, message and details", async () => {
  const client = await clientOf({
    getRun: (call) => call.onMessage(() => call.end(refusalStatus(Code.Unavailable, "too much at once", "OVERLOADED", 350))),
  });
  const error = await failureOf(client.getRun({ runId: "run_1" }));
  expect(error).toBeInstanceOf(ConnectError);
  expect(error.code).toBe(Code.Unavailable);
  expect(error.rawMessage).toBe("too much at once");
  expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({ reason: "OVERLOADED", domain: "runlane.dev" });
  expect(retryDelayOf(error)).toBe(350);
});

test("nobody listening is UNAVAILABLE, and names the address", async () => {
  const client = await clientOf({});
  await server!.stop();
  const error = await failureOf(client.getRun({ runId: "run_1" }));
  expect(error.code).toBe(Code.Unavailable);
  expect(error.rawMessage).toContain(`127.0.0.1:${server!.port}`);
});

test("a time-out becomes the call's deadline", async () => {
  const client = await clientOf({ getRun: () => {} });
  const error = await failureOf(client.getRun({ runId: "run_1" }, { timeoutMs: 50 }));
  expect(error.code).toBe(Code.DeadlineExceeded);
});

test("an aborted signal cancels a unary call on the server too", async () => {
  const abort = new AbortController();
  let cancelled = () => {};
  const serverSaw = new Promise<void>((resolve) => {
    cancelled = resolve;
  });
  const client = await clientOf({
    getRun: (call) => {
      call.onCancel(cancelled);
      abort.abort("enough");
    },
  });
  const error = await failureOf(client.getRun({ runId: "run_1" }, { signal: abort.signal }));
  expect(error).toMatchObject({ code: Code.Canceled, cause: "enough" });
  await serverSaw;
});

test("a signal that is aborted already makes no call", async () => {
  const client = await clientOf({});
  const error = await failureOf(client.getRun({ runId: "run_1" }, { signal: AbortSignal.abort() }));
  expect(error.code).toBe(Code.Canceled);
});

test("a server stream delivers its messages, then its error", async () => {
  const client = await clientOf({
    triggerAndWait: (call) =>
      call.onMessage(() => {
        call.send({ run: { state: RunState.QUEUED } });
        call.send({ run: { state: RunState.EXECUTING } });
        call.end(refusalStatus(Code.Unavailable, "stopping", "DRAINING", 10));
      }),
  });
  const states: RunState[] = [];
  const error = await failureOf(
    (async () => {
      for await (const { run } of client.triggerAndWait({ requestId: "r" })) states.push(run!.state);
    })(),
  );
  expect(states).toEqual([RunState.QUEUED, RunState.EXECUTING]);
  expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "stopping" });
});

test("an aborted signal ends a server stream, on the server too", async () => {
  const abort = new AbortController();
  let cancelled = () => {};
  const serverSaw = new Promise<void>((resolve) => {
    cancelled = resolve;
  });
  const client = await clientOf({
    triggerAndWait: (call) => {
      call.onCancel(cancelled);
      call.onMessage(() => call.send({ run: { state: RunState.QUEUED } }));
    },
  });
  const error = await failureOf(
    (async () => {
      for await (const _ of client.triggerAndWait({ requestId: "r" }, { signal: abort.signal })) abort.abort("seen enough");
    })(),
  );
  expect(error).toMatchObject({ code: Code.Canceled, cause: "seen enough" });
  await serverSaw;
});

test("a bidi stream sends as the input yields, and ends when it ends", async () => {
  const client = await clientOf({
    triggerStream: (call) => {
      call.onMessage(({ frame }) => {
        if (frame.case === "trigger") call.send({ frame: { case: "outcomes", value: { requestId: frame.value.requestId } } });
      });
      call.onEnd(() => call.end());
    },
  });
  let answered = () => {};
  async function* input() {
    for (const requestId of ["a", "b", "c"]) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      yield { frame: { case: "trigger" as const, value: { requestId } } };
      await answer;
    }
  }
  const answers: string[] = [];
  for await (const { frame } of client.triggerStream(input())) {
    if (frame.case === "outcomes") answers.push(frame.value.requestId);
    answered();
  }
  expect(answers).toEqual(["a", "b", "c"]);
});

test("an error of the input fails the call", async () => {
  const client = await clientOf({ triggerStream: () => {} });
  // biome-ignore lint/correctness/useYield: it fails before it yields
  async function* input(): AsyncGenerator<never> {
    throw new Error("no more");
  }
  const error = await failureOf(
    (async () => {
      for await (const _ of client.triggerStream(input()));
    })(),
  );
  expect(error.message).toContain("no more");
});

test("a connection that is cut ends a stream with UNAVAILABLE or CANCELED, and the next call connects again", async () => {
  let asked = () => {};
  const waiting = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const client = await clientOf({
    triggerAndWait: (call) => call.onMessage(asked),
    getRun: (call) =>
      call.onMessage(() => {
        call.send({ run: { id: "run_1" } });
        call.end();
      }),
  });
  const stream = client.triggerAndWait({ requestId: "r" })[Symbol.asyncIterator]();
  const next = failureOf(stream.next());
  await waiting;
  server!.cut();
  expect([Code.Unavailable, Code.Canceled, Code.Internal]).toContain((await next).code);
  await expect.poll(() => client.getRun({ runId: "run_1" }).catch(() => undefined)).toMatchObject({ run: { id: "run_1" } });
});
