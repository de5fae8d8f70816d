import { randomBytes } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { FakeRunService } from "../testing/fake-run-service.js";
import { type FakeServer, failureOf, refusalStatus } from "../testing/fake-server.js";
import { errorInfoOf } from "./grpc-error.js";
import { createRunlaneClient, type RunlaneClient } from "./runlane-client.js";

const service = new FakeRunService();
const { payloads: server } = service;
let listening: FakeServer;
let client: RunlaneClient;
beforeEach(async () => {
  listening = await service.start();
  client = createRunlaneClient({ baseURL: listening.address, secretKey: "rl_dev_test" });
  server.refuse = () => undefined;
  Object.assign(server, { puts: 0, underWay: 0, mostUnderWay: 0 });
});
afterEach(async () => {
  client.close();
  await listening.stop();
});

const payloadOf = (data: Uint8Array): Payload => ({ $typeName: "runlane.v1.Payload", contentType: "application/json", data, metadata: { codec: "x" } });

test("what is put comes back as it was, in chunks of 256 KiB", async () => {
  const data = randomBytes(1_000_000);
  const stored = await client.payloads.put(payloadOf(data));
  expect(stored).toEqual({ ...payloadOf(new Uint8Array(0)), reference: expect.stringMatching(/^pay_/) });
  expect(server.chunks.slice(0, 4)).toEqual([262_144, 262_144, 262_144, 213_568]);
  const whole = await client.payloads.get(stored);
  expect(Buffer.compare(whole.data, data)).toBe(0);
  expect({ ...whole, data: undefined }).toEqual({ ...payloadOf(data), data: undefined });
});

test("a server that is away is tried again, for both", async () => {
  let refusals = 2;
  server.refuse = () => (refusals-- > 0 ? refusalStatus(Code.Unavailable, "the store cannot be reached", "LOG_UNAVAILABLE", 1) : undefined);
  const stored = await client.payloads.put(payloadOf(randomBytes(300_000)));
  refusals = 2;
  expect((await client.payloads.get(stored)).data).toHaveLength(300_000);
});

test("a connection that breaks in the middle is tried again", async () => {
  const data = randomBytes(5_000_000);
  server.refuse = (call) => {
    server.refuse = () => undefined;
    if (call === "put") setImmediate(() => listening.cut());
    return undefined;
  };
  const stored = await client.payloads.put(payloadOf(data));
  expect(server.puts).toBe(2);
  expect(server.stored.get(stored.reference!)?.equals(data)).toBe(true);
});

test("what no repetition changes is told at once", async () => {
  server.refuse = () => refusalStatus(Code.ResourceExhausted, "the store is full", "LOG_FULL");
  const full = await failureOf(client.payloads.put(payloadOf(randomBytes(300_000))));
  expect([errorInfoOf(full)?.reason, server.puts]).toEqual(["LOG_FULL", 1]);
  server.refuse = () => undefined;
  const gone = await failureOf(client.payloads.get({ ...payloadOf(new Uint8Array(0)), reference: "pay_gone" }));
  expect([gone.code, errorInfoOf(gone)?.reason]).toEqual([Code.NotFound, "PAYLOAD_NOT_FOUND"]);
});

test("no more than eight are under way at once", async () => {
  const before = server.stored.size;
  await Promise.all(Array.from({ length: 40 }, () => client.payloads.put(payloadOf(randomBytes(200_000)))));
  expect(server.stored.size - before).toBe(40);
  expect(server.mostUnderWay).toBeGreaterThan(1);
  expect(server.mostUnderWay).toBeLessThanOrEqual(8);
});

test("whoever gives up hears so, while it waits for a server too", async () => {
  server.refuse = () => refusalStatus(Code.Unavailable, "away", "LOG_UNAVAILABLE", 60);
  const given = new AbortController();
  const put = failureOf(client.payloads.put(payloadOf(randomBytes(300_000)), given.signal));
  given.abort();
  expect((await put).code).toBe(Code.Canceled);
});
