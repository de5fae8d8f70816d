import { Code, type ConnectError, createClient, createContextValues } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { OwnerService } from "#gen/runlane/internal/v1/owner_service_pb.js";
import { reasonOf } from "../errors.js";
import { startTestNats, type TestNats } from "../nats/nats.fixture.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { oneWay } from "./internal-transport.js";
import { internalTransportSuite } from "./internal-transport.suite.js";
import { createNatsTransport } from "./nats-transport.js";

let nats: TestNats;

internalTransportSuite("NATS", {
  before: async () => {
    nats = await startTestNats();
  },
  after: () => nats.close(),
  async open() {
    const { logger, lines } = recordingLogger();
    return {
      serving: createNatsTransport(await nats.connect("queue"), { user: "queue", logger }),
      calling: createNatsTransport(await nats.connect("scheduler"), { user: "scheduler", logger }),
      errors: () => JSON.stringify(lines.filter(({ level }) => level === 50)),
    };
  },
});

describe("when NATS goes away, the transport", () => {
  let own: TestNats;
  beforeAll(async () => {
    own = await startTestNats();
  });
  afterAll(() => own.close());

  test("fails what is pending with CONNECTION_LOST, fails calls until NATS is back, and then goes on", async () => {
    const { logger } = recordingLogger();
    const link = await own.connect("scheduler");
    const serving = createNatsTransport(await own.connect("queue"), { user: "queue", logger });
    const calling = createNatsTransport(link, { user: "scheduler", logger });
    const started = vi.fn();
    await serving.serve("owner.0.1", OwnerService, {
      readRun: ({ runId }: { runId: string }) => {
        started();
        return runId ? { run: { id: runId } } : new Promise<never>(() => {});
      },
    } as never);
    const client = createClient(OwnerService, calling.to("owner.0.1"));
    const pending = client.readRun({}, { timeoutMs: 60_000 }).catch((error: ConnectError) => error);
    await vi.waitFor(() => expect(started).toHaveBeenCalled());

    const pid = own.nats.pid;
    if (pid === undefined) throw new Error("no nats-server");
    process.kill(pid, "SIGKILL");
    const error = (await pending) as ConnectError;
    expect(error.code).toBe(Code.Unavailable);
    expect(reasonOf(error)).toBe("CONNECTION_LOST");
    if (!link.up) {
      expect(reasonOf(await client.readRun({ runId: "down" }).catch((reason) => reason))).toBe("CONNECTION_LOST");
      await client.relayFrames({}, { contextValues: createContextValues().set(oneWay, true) });
    }

    await vi.waitFor(async () => expect((await client.readRun({ runId: "back" }, { timeoutMs: 500 })).run?.id).toBe("back"), { timeout: 30_000, interval: 50 });
    await calling.close();
    await serving.close();
  });
});

test("a link that is closed before its transport does no harm", async () => {
  const own = await startTestNats();
  const { logger } = recordingLogger();
  const link = await own.connect("queue");
  const transport = createNatsTransport(link, { user: "queue", logger });
  const started = vi.fn();
  let answer = () => {};
  const readRun = () => {
    started();
    return new Promise<object>((resolve) => {
      answer = () => resolve({});
    });
  };
  const served = await transport.serve("owner.0.1", OwnerService, { readRun } as never);
  const call = createClient(OwnerService, transport.to("owner.0.1"))
    .readRun({})
    .catch((error) => error);
  await vi.waitFor(() => expect(started).toHaveBeenCalled());
  await link.close();
  expect(reasonOf(await call)).toBe("CONNECTION_LOST");
  answer();
  expect(
    reasonOf(
      await createClient(OwnerService, transport.to("owner.0.1"))
        .readRun({})
        .catch((error) => error),
    ),
  ).toBe("CONNECTION_LOST");
  await served.close();
  await transport.close();
  await own.close();
});
