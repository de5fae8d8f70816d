import { Code, ConnectError } from "@connectrpc/connect";
import { createMemoryTransport, errorOf, type InternalTransport, MemoryOwnership, reasonOf, refusal } from "@runlane/platform";
import { SubscriberService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { OwnerClient } from "./owner-client.js";
import { Subscriptions } from "./subscriptions.js";
import { ClientDouble, frame, triggerFrame } from "./testing/client-double.js";
import { OwnerDouble } from "./testing/owner-double.js";
import { silentLogger } from "./testing/silent-logger.js";
import { TriggerStream } from "./trigger-stream.js";

const subscriber = "subscriber.test";
let transport: InternalTransport;
let directory: MemoryOwnership;
let owner: OwnerDouble;
let subscriptions: Subscriptions;
let client: ClientDouble;
let stream: TriggerStream;
const streams = new Set<TriggerStream>();

beforeEach(async () => {
  transport = createMemoryTransport({ logger: silentLogger });
  directory = new MemoryOwnership();
  owner = new OwnerDouble(transport, directory);
  await owner.takeOver(1n);
  subscriptions = new Subscriptions(new OwnerClient(transport, directory, 0), subscriber, silentLogger);
  await transport.serve(subscriber, SubscriberService, {
    notify(request) {
      subscriptions.notify(request);
      return {};
    },
  });
  client = new ClientDouble();
  stream = newStream(client);
});
afterEach(async () => {
  subscriptions.close();
  await transport.close();
});

function newStream(end: ClientDouble): TriggerStream {
  return new TriggerStream(end, "dev", { owner: new OwnerClient(transport, directory, 0), subscriptions, subscriber, logger: silentLogger, streams });
}
const watchFrame = (...runIds: string[]) => frame({ frame: { case: "watch", value: { runIds } } });
const settled = (check: () => void) => vi.waitFor(check, { interval: 1 });
/** Something to wait for until a test opens it. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
const kinds = () => client.heard.map(({ frame: { case: kind } }) => kind);

describe("a server that stops", () => {
  test("answers what has come, takes nothing more, and ends the stream so that the client goes on elsewhere", async () => {
    const answer = gate();
    owner.methods = {
      async triggerRuns() {
        await answer.opened;
        return { outcomes: [{ outcome: { case: "runId", value: "run_1" } }] };
      },
    };
    await owner.takeOver(2n);
    stream.onMessage(triggerFrame("a"));
    stream.drain();
    expect([client.paused, client.open]).toEqual([true, true]);
    answer.open();
    await settled(() => expect(client.open).toBe(false));
    expect(client.outcomes.map(({ requestId }) => requestId)).toEqual(["a"]);
    expect(client.paused).toBe(true);
    // Its run is still open: the client asks another server for it.
    expect(reasonOf(client.endedWith)).toBe("DRAINING");
  });

  test("ends a stream on which nothing is under way at once", () => {
    stream.drain();
    expect(reasonOf(client.endedWith)).toBe("DRAINING");
    expect(streams.has(stream)).toBe(true);
    stream.onClose();
    expect(streams.has(stream)).toBe(false);
  });
});

describe("triggering", () => {
  test("each frame is answered under its request id, with one outcome for each item", async () => {
    stream.onMessage(triggerFrame("a", 2));
    stream.onMessage(triggerFrame("b"));
    await settled(() => expect(client.outcomes).toHaveLength(2));
    expect(client.outcomes.map(({ requestId, outcomes }) => [requestId, outcomes.map(({ outcome }) => outcome.value)])).toEqual([
      ["a", ["run_1", "run_2"]],
      ["b", ["run_3"]],
    ]);
    expect(owner.triggers.map((request) => [request.environment, request.subscriber, request.awaitResults])).toEqual([
      ["dev", subscriber, [0, 1]],
      ["dev", subscriber, [0]],
    ]);
  });

  test("results of one notification leave in one frame, after their outcomes", async () => {
    stream.onMessage(triggerFrame("a", 3));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    await owner.finish(["run_1", "run_2", "run_3"]);
    await settled(() => expect(client.finished).toEqual(["run_1", "run_2", "run_3"]));
    expect(kinds()).toEqual(["outcomes", "results"]);
    expect(subscriptions.size).toBe(0);
  });

  test("a result that comes before the owner's answer waits for it", async () => {
    const answer = gate();
    owner.methods = {
      async triggerRuns() {
        await owner.notify(subscriber, { results: [{ runId: "run_1", state: 6 }] });
        await answer.opened;
        return { outcomes: [{ outcome: { case: "runId", value: "run_1" } }] };
      },
    };
    await owner.takeOver(2n);
    stream.onMessage(triggerFrame("a"));
    await subscriptions.sweep();
    answer.open();
    await settled(() => expect(client.finished).toEqual(["run_1"]));
    expect(kinds()).toEqual(["outcomes", "results"]);
  });

  test("nobody hears of runs whose results nobody awaits", async () => {
    stream.onMessage(frame({ frame: { case: "trigger", value: { requestId: "a", items: [{ taskId: "t" }, { taskId: "t" }], awaitResults: [1] } } }));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    await owner.notify(subscriber, { results: [{ runId: "run_1" }, { runId: "run_2" }] });
    await settled(() => expect(client.finished).toEqual(["run_2"]));
  });

  test("refused items are outcomes; the others go to the owner, and awaited indexes mean the same items", async () => {
    const items = [{ taskId: "no such task!" }, { taskId: "t" }, { taskId: "t", payload: { data: Buffer.from("{") } }, { taskId: "u" }];
    stream.onMessage(frame({ frame: { case: "trigger", value: { requestId: "a", items, awaitResults: [0, 3] } } }));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    expect(client.outcomes[0]!.outcomes.map(({ outcome }) => (outcome.case === "error" ? reasonOf(errorOf(outcome.value)) : outcome.value))).toEqual([
      "INVALID_FIELD",
      "run_1",
      "PAYLOAD_NOT_JSON",
      "run_2",
    ]);
    expect(owner.triggers[0]!.items.map(({ taskId }) => taskId)).toEqual(["t", "u"]);
    expect(owner.triggers[0]!.awaitResults).toEqual([1]);
    await owner.finish(["run_1", "run_2"]);
    await settled(() => expect(client.finished).toEqual(["run_2"]));
  });

  test("a frame without a valid item does not reach the owner", async () => {
    stream.onMessage(frame({ frame: { case: "trigger", value: { requestId: "a", items: [{ taskId: "" }] } } }));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    expect(client.outcomes[0]!.outcomes[0]!.outcome.case).toBe("error");
    expect(owner.triggers).toEqual([]);
  });

  test("a frame that breaks the rules is refused as a whole; the stream goes on", async () => {
    stream.onMessage(triggerFrame("a", 501));
    stream.onMessage(triggerFrame("b"));
    await settled(() => expect(client.outcomes).toHaveLength(2));
    const [refused, answered] = client.outcomes;
    expect([refused!.requestId, reasonOf(errorOf(refused!.error!)), refused!.outcomes]).toEqual(["a", "INVALID_FIELD", []]);
    expect(answered!.outcomes).toHaveLength(1);
  });

  test("what the owner refuses is the frame's error, for the client to repeat", async () => {
    owner.methods = {
      triggerRuns: () => {
        throw refusal("OVERLOADED", "too much is uncommitted");
      },
    };
    await owner.takeOver(2n);
    stream.onMessage(triggerFrame("a"));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    expect([client.outcomes[0]!.error?.code, reasonOf(errorOf(client.outcomes[0]!.error!))]).toEqual([Code.Unavailable, "OVERLOADED"]);
    owner.methods = {};
    await owner.takeOver(3n);
    stream.onMessage(triggerFrame("a"));
    await settled(() => expect(client.outcomes[1]?.outcomes).toHaveLength(1));
  });

  test("a frame of a kind that is not known is ignored", () => {
    stream.onMessage(frame({}));
    expect([client.heard, client.open]).toEqual([[], true]);
  });
});

describe("watching", () => {
  test("results come of runs that exist already, finished or not; unknown ones are named", async () => {
    stream.onMessage(triggerFrame("a", 2));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    await owner.finish(["run_1"], "1", false);
    const other = new ClientDouble();
    newStream(other).onMessage(watchFrame("run_1", "run_2", "run_9", "no run!"));
    await settled(() => expect(other.finished).toEqual(["run_1"]));
    await settled(() => expect(other.results.flatMap(({ unknownRunIds }) => unknownRunIds).sort()).toEqual(["no run!", "run_9"]));
    await owner.finish(["run_2"]);
    await settled(() => expect(other.finished).toEqual(["run_1", "run_2"]));
  });

  test("two streams may watch one run, and one may give up", async () => {
    stream.onMessage(triggerFrame("a"));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    const other = new ClientDouble();
    const second = newStream(other);
    second.onMessage(watchFrame("run_1"));
    stream.onMessage(frame({ frame: { case: "unwatch", value: { runIds: ["run_1"] } } }));
    await settled(() => expect(owner.watches).toHaveLength(1));
    await owner.finish(["run_1"]);
    await settled(() => expect(other.finished).toEqual(["run_1"]));
    expect(client.finished).toEqual([]);
  });

  test("more than 500 at once end the stream with INVALID_ARGUMENT", () => {
    stream.onMessage(watchFrame(...Array.from({ length: 501 }, (_, i) => `run_${i}`)));
    expect(ConnectError.from(client.endedWith).code).toBe(Code.InvalidArgument);
  });

  test("the owner is told of runs that nobody awaits any more", async () => {
    stream.onMessage(triggerFrame("a", 2));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    stream.onMessage(frame({ frame: { case: "unwatch", value: { runIds: ["run_1", "run_7"] } } }));
    await settled(() => expect(owner.watches.map(({ unwatch }) => unwatch)).toEqual([["run_1"]]));
    stream.onClose();
    await settled(() => expect(owner.watches.map(({ unwatch }) => unwatch)).toEqual([["run_1"], ["run_2"]]));
    expect(subscriptions.size).toBe(0);
  });

  test("a stream that closes before its frame is answered leaves nothing behind", async () => {
    stream.onMessage(triggerFrame("a"));
    stream.onClose();
    await settled(() => expect(owner.watches.map(({ unwatch }) => unwatch)).toEqual([["run_1"]]));
    expect([subscriptions.size, owner.interest.size]).toEqual([0, 0]);
  });
});

describe("losses", () => {
  test("open runs are registered again with a new owner, which answers finished ones at once", async () => {
    stream.onMessage(triggerFrame("a", 2));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    await owner.finish(["run_1"], "1", false);
    await owner.takeOver(2n);
    await settled(() => expect(client.finished).toEqual(["run_1"]));
    await owner.finish(["run_2"]);
    await settled(() => expect(client.finished).toEqual(["run_1", "run_2"]));
  });

  test("a lost notification is made good by the sweep", async () => {
    stream.onMessage(triggerFrame("a"));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    await owner.finish(["run_1"], "1", false);
    await subscriptions.sweep();
    expect(owner.watches).toEqual([]);
    await subscriptions.sweep();
    await settled(() => expect(client.finished).toEqual(["run_1"]));
  });

  test("a watch that meets no owner is made good when one comes", async () => {
    stream.onMessage(triggerFrame("a"));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    await owner.resign();
    stream.onMessage(watchFrame("run_1"));
    await owner.takeOver(2n);
    await owner.finish(["run_1"]);
    await settled(() => expect(client.finished).toEqual(["run_1"]));
  });
});

describe("a client that does not keep up", () => {
  const large = `"${"x".repeat(120_000)}"`;

  test("is not read while too many frames wait for the owner", async () => {
    const answer = gate();
    owner.methods = {
      async triggerRuns() {
        await answer.opened;
        return { outcomes: [] };
      },
    };
    await owner.takeOver(2n);
    for (let i = 0; i < 63; i++) stream.onMessage(triggerFrame(`r${i}`));
    expect(client.paused).toBe(false);
    stream.onMessage(triggerFrame("last"));
    expect(client.paused).toBe(true);
    answer.open();
    await settled(() => expect(client.outcomes).toHaveLength(64));
    expect(client.paused).toBe(false);
  });

  test("is not read while it does not read answers", async () => {
    client.reads = false;
    stream.onMessage(triggerFrame("a"));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    expect(client.paused).toBe(true);
    stream.onDrain();
    expect(client.paused).toBe(false);
  });

  test("gets large results in several frames", async () => {
    stream.onMessage(triggerFrame("a", 10));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    await owner.finish([...owner.runs.keys()], large);
    await settled(() => expect(client.finished).toHaveLength(10));
    expect(client.results.map(({ results }) => results.length)).toEqual([4, 4, 2]);
  });

  test("gets what there was no room for once it reads again", async () => {
    stream.onMessage(triggerFrame("a", 100));
    await settled(() => expect(client.outcomes).toHaveLength(1));
    client.reads = false;
    const ids = [...owner.runs.keys()];
    await owner.finish(ids.slice(0, 1), large);
    await settled(() => expect(client.finished).toHaveLength(1));
    await owner.finish(ids.slice(1), large);
    await settled(() => expect(client.finished.length).toBeGreaterThan(60));
    expect(client.finished.length).toBeLessThan(80);
    client.reads = true;
    stream.onDrain();
    await settled(() => expect(client.finished).toHaveLength(100));
    expect(new Set(client.finished).size).toBe(100);
    expect(subscriptions.size).toBe(0);
  });
});

test("a client that asks for nothing more is heard out: the stream ends with the last answer", async () => {
  stream.onMessage(triggerFrame("a"));
  stream.onEnd();
  await settled(() => expect(client.outcomes).toHaveLength(1));
  expect(client.open).toBe(true);
  await owner.finish(["run_1"]);
  await settled(() => expect(client.endedWith).toBeNull());
  expect(kinds()).toEqual(["outcomes", "results"]);
});
