import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { FakeRunService } from "../testing/fake-run-service.js";
import { type FakeService, failureOf } from "../testing/fake-server.js";
import { type ConnectionSource, createConnectionSource } from "./connection-source.js";
import { createGrpcTransport } from "./grpc-transport.js";
import { createRetryingTransport } from "./retrying-transport.js";

/** A client whose calls end with these errors, one after the other, and then succeed. */
function clientThatMeets(
  errors: ConnectError[],
  options = {},
  connections: ConnectionSource = createConnectionSource(() => ({ address: "http://127.0.0.1:1", secretKey: "k" })),
) {
  const calls: string[] = [];
  const answer = (name: string) => () => {
    calls.push(name);
    const error = errors.shift();
    if (error) throw error;
    return {};
  };
  const transport = createRouterTransport(({ service }) => {
    service(RunService, { getRun: answer("getRun"), cancelRun: answer("cancelRun"), triggerTasks: answer("triggerTasks") });
  });
  return { calls, client: createClient(RunService, createRetryingTransport(transport, connections, options)) };
}

const unavailable = () => new ConnectError("connect ECONNREFUSED", Code.Unavailable);

test("a call that is safe to repeat is repeated while the server is away", async () => {
  const { calls, client } = clientThatMeets([unavailable(), unavailable()]);
  await client.getRun({ runId: "run_1" });
  await client.cancelRun({ runId: "run_1" });
  expect(calls).toEqual(["getRun", "getRun", "getRun", "cancelRun"]);
});

test("a trigger is repeated only if it has a request id", async () => {
  const named = clientThatMeets([unavailable()]);
  await named.client.triggerTasks({ requestId: "r" });
  expect(named.calls).toHaveLength(2);
  const nameless = clientThatMeets([unavailable()]);
  await failureOf(nameless.client.triggerTasks({}));
  expect(nameless.calls).toHaveLength(1);
});

test("other errors are not repeated", async () => {
  const { calls, client } = clientThatMeets([new ConnectError("no", Code.NotFound)]);
  expect(await failureOf(client.getRun({}))).toMatchObject({ code: Code.NotFound });
  expect(calls).toHaveLength(1);
});

test("a refused key is tried again only if another one is found", async () => {
  const refused = () => new ConnectError("the key is not one of this server's", Code.Unauthenticated);
  const same = clientThatMeets([refused()]);
  expect(await failureOf(same.client.getRun({}))).toMatchObject({ code: Code.Unauthenticated });
  const keys = ["old", "new"];
  const other = clientThatMeets(
    [refused()],
    {},
    createConnectionSource(() => ({ address: "http://127.0.0.1:1", secretKey: keys.shift()! })),
  );
  await other.client.getRun({});
  expect(other.calls).toHaveLength(2);
});

test("a stream is not repeated; the call after it finds a server that moved", async () => {
  const first = new FakeRunService();
  const finished: FakeService<typeof RunService> = {
    triggerAndWait: (call) =>
      call.onMessage(() => {
        call.send({ run: { id: "run_1" } });
        call.end();
      }),
  };
  first.more = finished;
  const away = await first.start();
  await away.stop();
  const back = await first.start();
  const addresses = [away.address, back.address];
  const connections = createConnectionSource(() => ({ address: addresses.shift()!, secretKey: "k" }));
  const transport = createRetryingTransport(
    createGrpcTransport(() => connections.current()),
    connections,
  );
  const client = createClient(RunService, transport);
  const read = async () => {
    const ids: (string | undefined)[] = [];
    for await (const { run } of client.triggerAndWait({ requestId: "r" })) ids.push(run?.id);
    return ids;
  };
  expect(await failureOf(read())).toMatchObject({ code: Code.Unavailable });
  expect(await read()).toEqual(["run_1"]);
  connections.close();
  await back.stop();
});

test("when the time is up, the error says what to do", async () => {
  const { client } = clientThatMeets(Array.from({ length: 1_000 }, unavailable), { firstContactMs: 100 });
  const error = await failureOf(client.getRun({}));
  expect(error.code).toBe(Code.Unavailable);
  expect(error.message).toContain("No Runlane server could be reached at http://127.0.0.1:1");
  expect(error.message).toContain("ECONNREFUSED");
});

test("an aborted signal ends the waiting", async () => {
  const { client } = clientThatMeets(Array.from({ length: 1_000 }, unavailable));
  expect(await failureOf(client.getRun({}, { signal: AbortSignal.timeout(50) }))).toMatchObject({ code: Code.Canceled });
});
