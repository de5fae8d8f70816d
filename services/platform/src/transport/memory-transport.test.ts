import { createClient, createContextValues } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { OwnerService, SubscriberService } from "#gen/runlane/internal/v1/owner_service_pb.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { oneWay } from "./internal-transport.js";
import { internalTransportSuite } from "./internal-transport.suite.js";
import { createMemoryTransport } from "./memory-transport.js";

internalTransportSuite("memory", {
  async open() {
    const { logger, lines } = recordingLogger();
    const transport = createMemoryTransport({ logger });
    return { serving: transport, calling: transport, errors: () => JSON.stringify(lines.filter(({ level }) => level === 50)) };
  },
});

test("memory is shared by nobody: what the server gets is a copy of what the caller has", async () => {
  const transport = createMemoryTransport({ logger: recordingLogger().logger });
  let seen: Uint8Array | undefined;
  await transport.serve("subscriber.a", SubscriberService, {
    notify: ({ results }) => {
      seen = results[0]?.output?.data;
      return {};
    },
  });
  const data = new Uint8Array([1, 2, 3]);
  await createClient(SubscriberService, transport.to("subscriber.a")).notify({ results: [{ runId: "r", output: { data } }] });
  data.fill(0);
  expect([...(seen ?? [])]).toEqual([1, 2, 3]);
});

test("a call in memory takes microtasks only", async () => {
  const transport = createMemoryTransport({ logger: recordingLogger().logger });
  await transport.serve("owner.0.1", OwnerService, { relayFrames: () => ({}), readRun: () => ({}) } as never);
  const client = createClient(OwnerService, transport.to("owner.0.1"));
  let turnOver = false;
  setImmediate(() => {
    turnOver = true;
  });
  await client.readRun({});
  await client.relayFrames({}, { contextValues: createContextValues().set(oneWay, true) });
  expect(turnOver).toBe(false);
});
