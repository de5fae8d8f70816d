import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { createLogger, createMemoryTransport, type InternalTransport, MemoryOwnership, reasonOf, type Served } from "@runlane/platform";
import { ExecutorService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import {
  HeartbeatRequestSchema,
  PollRequestSchema,
  ReportResultsRequestSchema,
  ResultDisposition,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { idleStreamMs, PolledWorkers } from "./polled-workers.js";
import { Relay } from "./relay.js";
import { readRequest } from "./testing/frames.js";
import { OwnerDouble } from "./testing/owner-double.js";

const logger = createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: "silent" } });
let transport: InternalTransport;
let owner: OwnerDouble;
let relay: Relay;
let served: Served;
let workers: PolledWorkers;

beforeEach(async () => {
  transport = createMemoryTransport({ logger });
  const directory = new MemoryOwnership();
  owner = new OwnerDouble(transport, directory);
  relay = new Relay({ executor: "executor.n1", streamPrefix: "n1.x", transport, directory, logger, partition: 0 });
  workers = new PolledWorkers(relay);
  served = await transport.serve("executor.n1", ExecutorService, {
    deliverFrames(frames) {
      relay.deliver(frames);
      return {};
    },
  });
  await owner.takeOver(1n);
});
afterEach(async () => {
  vi.useRealTimers();
  relay.close();
  await served.close();
  await transport.close();
});

const forever = new AbortController().signal;
const poll = (request: MessageInitShape<typeof PollRequestSchema>, { environment = "dev", signal = forever } = {}) =>
  workers.poll(environment, create(PollRequestSchema, { wait: durationFromMs(0), ...(request as object) }), signal);
const beat = (streamId: string, sequence: bigint, environment = "dev") =>
  workers.heartbeat(environment, create(HeartbeatRequestSchema, { streamId, heartbeat: { sequence } }), forever);
const report = (streamId: string, ...tokens: Uint8Array[]) =>
  workers.report("dev", create(ReportResultsRequestSchema, { streamId, results: tokens.map((token) => ({ token })) }), forever);
const hello = { hello: { protocolRevision: 1, workerId: "w1", incarnation: 1n, slots: 10, tasks: [{ id: "t" }] } };
const token = (n: number) => Buffer.alloc(8, n);
const lost = (n: number) => ({ lost: [token(n)] });
const reasonOfFailed = (call: Promise<unknown>) => call.then(() => "none", reasonOf);

/** The id of a stream whose Welcome has come, as response 1. */
async function begin(): Promise<string> {
  const first = await poll({ frame: hello });
  expect([first.number, first.frame?.welcome?.protocolRevision]).toEqual([1n, 1]);
  return first.streamId;
}

describe("a poll", () => {
  test("that says Hello gets the Welcome, and a name for what follows", async () => {
    expect(await begin()).toMatch(/^n1\.x\./);
    expect(workers.size).toBe(1);
  });

  test("brings all that was said meanwhile, once", async () => {
    const streamId = await begin();
    for (const n of [1, 2, 3]) owner.say(streamId, lost(n));
    const next = await poll({ streamId, received: 1n });
    expect([next.number, next.frame?.lost]).toEqual([2n, [1, 2, 3].map((n) => Uint8Array.from(token(n)))]);
    const last = await poll({ streamId, received: 2n });
    expect([last.number, last.frame]).toEqual([3n, undefined]);
  });

  test("waits until there is something, and no longer than it was told", async () => {
    const streamId = await begin();
    const waiting = poll({ streamId, received: 1n, wait: durationFromMs(30_000) });
    owner.say(streamId, lost(1));
    expect((await waiting).frame?.lost).toHaveLength(1);
    vi.useFakeTimers();
    let answered = false;
    const quiet = poll({ streamId, received: 2n, wait: durationFromMs(2_000) }).finally(() => {
      answered = true;
    });
    await vi.advanceTimersByTimeAsync(1_999);
    expect(answered).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect((await quiet).frame).toBeUndefined();
  });

  test("carries the worker's frame to the owner", async () => {
    const streamId = await begin();
    await poll({ streamId, received: 1n, frame: { accepted: [token(1)], declined: [{ token: token(2) }] } });
    await vi.waitFor(() => expect(owner.heard).toHaveLength(2));
    expect(readRequest(owner.heard[1]!.frame)).toMatchObject({ accepted: [expect.anything()], declined: [{}] });
  });

  test("whose response was lost gets it again, as often as it asks", async () => {
    const streamId = await begin();
    owner.say(streamId, lost(1));
    const response = await poll({ streamId, received: 1n });
    owner.say(streamId, lost(2));
    expect(await poll({ streamId, received: 1n })).toEqual(response);
    expect(await poll({ streamId, received: 1n })).toEqual(response);
    expect((await poll({ streamId, received: 2n })).frame?.lost).toEqual([Uint8Array.from(token(2))]);
  });

  test("that is given up takes nothing with it", async () => {
    const streamId = await begin();
    const gone = new AbortController();
    const given = poll({ streamId, received: 1n, wait: durationFromMs(30_000) }, { signal: gone.signal });
    gone.abort(new ConnectError("gone", Code.Canceled));
    await expect(given).rejects.toThrow("gone");
    owner.say(streamId, lost(1));
    expect((await poll({ streamId, received: 1n })).frame?.lost).toHaveLength(1);
  });

  test("gives way to a later one", async () => {
    const streamId = await begin();
    const first = reasonOfFailed(poll({ streamId, received: 1n, wait: durationFromMs(30_000) }));
    const second = poll({ streamId, received: 1n, wait: durationFromMs(30_000) });
    expect(await first).toBe("POLL_SUPERSEDED");
    owner.say(streamId, lost(1));
    expect((await second).frame?.lost).toHaveLength(1);
  });

  test("never finds hello_again or a Welcome among other things", async () => {
    const streamId = await begin();
    owner.say(streamId, lost(1));
    await owner.takeOver(2n);
    await vi.waitFor(async () => expect((await beat(streamId, 1n)).helloAgain).toBe(true));
    owner.loses = () => true;
    const before = await poll({ streamId, received: 1n });
    expect(before.frame).toMatchObject({ lost: [{}], helloAgain: true });
    owner.loses = () => false;
    const after = await poll({ streamId, received: 2n, frame: hello });
    expect(after.frame).toMatchObject({ welcome: { protocolRevision: 1 }, helloAgain: false, lost: [] });
  });

  test.each([
    ["a wrong number", { received: 7n }],
    ["a wait of more than 30 s", { received: 1n, wait: durationFromMs(30_001) }],
  ])("with %s is refused", async (_, wrong) => {
    expect(await reasonOfFailed(poll({ streamId: await begin(), ...wrong }))).toBe("INVALID_FIELD");
  });

  test("without a stream must say Hello, and a sound one", async () => {
    expect(await reasonOfFailed(poll({}))).toBe("INVALID_FIELD");
    expect(await reasonOfFailed(poll({ frame: { hello: { workerId: "" } } }))).toBe("INVALID_FIELD");
    expect(workers.size).toBe(0);
  });
});

describe("a heartbeat", () => {
  test("is answered by the owner, with what it cancels and gives up in the same frame", async () => {
    const streamId = await begin();
    expect(await beat(streamId, 5n)).toMatchObject({ answer: { sequence: 5n }, helloAgain: false });
    expect((await poll({ streamId, received: 1n })).frame).toBeUndefined();
  });

  test("asks for a Hello when the server does", async () => {
    const streamId = await begin();
    owner.loses = (direction) => direction === "up";
    const waiting = beat(streamId, 1n);
    await owner.takeOver(2n);
    expect(await waiting).toMatchObject({ helloAgain: true });
    expect(await beat(streamId, 2n)).toMatchObject({ helloAgain: true });
  });

  test("is UNAVAILABLE if the owner is silent for 5 s", async () => {
    const streamId = await begin();
    owner.loses = () => true;
    vi.useFakeTimers();
    const reason = reasonOfFailed(beat(streamId, 1n));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await reason).toBe("NO_OWNER");
  });
});

describe("a report", () => {
  const receipt = (n: number) => ({ token: token(n), disposition: ResultDisposition.RECORDED });

  test("waits for the receipt of each token, in whatever frames they come, and takes them out of the polls", async () => {
    const streamId = await begin();
    const reported = report(streamId, token(1), token(2));
    await vi.waitFor(() => expect(owner.heard).toHaveLength(2));
    owner.say(streamId, { receipts: [receipt(2), receipt(3)] });
    owner.say(streamId, { receipts: [receipt(1)] });
    expect((await reported).map((one) => one.token[0])).toEqual([2, 1]);
    expect((await poll({ streamId, received: 1n })).frame?.receipts.map((one) => one.token[0])).toEqual([3]);
  });

  test("that comes while the server waits for a Hello is refused; one under way hears so, too", async () => {
    const streamId = await begin();
    const underWay = reasonOfFailed(report(streamId, token(1)));
    await owner.takeOver(2n);
    expect(await underWay).toBe("HELLO_REQUIRED");
    expect(await reasonOfFailed(report(streamId, token(1)))).toBe("HELLO_REQUIRED");
  });

  test("must have something to report", async () => {
    expect(await reasonOfFailed(report(await begin()))).toBe("INVALID_FIELD");
  });
});

describe("a stream", () => {
  test("is unknown to other environments, and to executors that did not open it", async () => {
    const streamId = await begin();
    expect(await reasonOfFailed(poll({ streamId, received: 1n }, { environment: "prod" }))).toBe("STREAM_UNKNOWN");
    expect(await reasonOfFailed(beat(streamId, 1n, "prod"))).toBe("STREAM_UNKNOWN");
    expect(await reasonOfFailed(new PolledWorkers(relay).poll("dev", create(PollRequestSchema, { streamId, received: 1n }), forever))).toBe("STREAM_UNKNOWN");
  });

  test("without a call for 30 s is over, and the owner told; one that polls is not", async () => {
    const [idle, busy] = [await begin(), await begin()];
    const waiting = poll({ streamId: busy, received: 1n, wait: durationFromMs(30_000) });
    workers.sweep(performance.now() + idleStreamMs - 1_000);
    expect(workers.size).toBe(2);
    workers.sweep(performance.now() + idleStreamMs + 1_000);
    expect(workers.size).toBe(1);
    await vi.waitFor(() => expect(owner.heard.at(-1)).toMatchObject({ streamId: idle, closed: true }));
    expect(await reasonOfFailed(poll({ streamId: idle, received: 1n }))).toBe("STREAM_UNKNOWN");
    owner.say(busy, lost(1));
    expect((await waiting).frame?.lost).toHaveLength(1);
  });

  test("that the owner ends ends its calls with the reason, and is unknown afterwards", async () => {
    const streamId = await begin();
    const calls = [poll({ streamId, received: 1n, wait: durationFromMs(30_000) }), report(streamId, token(1)), beat(streamId, 9n)];
    const reasons = Promise.all(calls.slice(0, 2).map(reasonOfFailed));
    void calls[2]?.catch(() => {});
    relay.deliver({
      $typeName: "runlane.internal.v1.DeliverFramesRequest",
      epoch: 1n,
      frames: [
        {
          $typeName: "runlane.internal.v1.OwnerFrame",
          streamId,
          sequence: 0n,
          frame: new Uint8Array(),
          end: { $typeName: "runlane.internal.v1.StreamEnd", code: Code.Aborted, message: "a newer life", reason: "SESSION_SUPERSEDED" },
        },
      ],
    });
    expect(await reasons).toEqual(["SESSION_SUPERSEDED", "SESSION_SUPERSEDED"]);
    expect(await reasonOfFailed(poll({ streamId, received: 1n }))).toBe("STREAM_UNKNOWN");
    expect(relay.size).toBe(0);
  });

  test("hears that the executor drains", async () => {
    const streamId = await begin();
    relay.drain("the server is stopping", 500);
    expect((await poll({ streamId, received: 1n })).frame?.drain?.reason).toBe("the server is stopping");
  });
});
