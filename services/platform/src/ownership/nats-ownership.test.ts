import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { jetStreamRequest } from "../nats/jetstream-api.js";
import { fillStore, silent, startTestNats, type TestNats } from "../nats/nats.fixture.js";
import { streams } from "../nats/subjects.js";
import { TcpProxy } from "../nats/tcp-proxy.fixture.js";
import { NatsOwnerDirectory } from "./nats-owner-directory.js";
import { NatsPartitionClaims } from "./nats-partition-claims.js";
import { type OwnershipNode, owner, ownershipSuite } from "./ownership.suite.js";

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.close());

const quick = { lapseMs: 600, renewMs: 150 };
/** For claims that must not lapse: on a busy machine a renewal may be late by more than `quick` allows. */
const patient = { lapseMs: 2_000, renewMs: 150 };
let closing: (() => Promise<void> | void)[] = [];

/** A node that claims as `queue` and reads the directory as a service that owns nothing. */
async function addNode({ url, times = quick }: { url?: string; times?: typeof quick } = {}): Promise<OwnershipNode> {
  const claims = new NatsPartitionClaims({ link: await nats.connect("queue", url), logger: silent, ...times });
  const directory = new NatsOwnerDirectory(await nats.connect("scheduler", url), times);
  closing.push(
    () => claims.close(),
    () => directory.close(),
  );
  return { claims, directory };
}

async function closeNodes(): Promise<void> {
  for (const close of closing) await close();
  closing = [];
  const link = await nats.connect();
  await jetStreamRequest(link.connection, `STREAM.DELETE.${streams.owners}`).catch(() => {});
  await link.close();
}

ownershipSuite("NATS", async () => ({ node: () => addNode({ times: patient }), close: closeNodes }));

describe("a claim in NATS", () => {
  let network: TcpProxy;
  let cut: OwnershipNode;
  let whole: OwnershipNode;
  /** A node on the network that fails, and one that is not. */
  const addNodes = async (times = quick) => {
    cut = await addNode({ url: network.url, times });
    whole = await addNode({ times });
  };
  beforeEach(async () => {
    network = await TcpProxy.start(nats.nats.url);
  });
  afterEach(async () => {
    await closeNodes();
    await network.close();
  });

  test("holds for as long as it is renewed", async () => {
    await addNodes(patient);
    const claim = await cut.claims.claim(0, "a");
    const abort = new AbortController();
    const waiting = whole.claims.claim(0, "b", { signal: abort.signal });
    waiting.catch(() => {});
    const lost: string[] = [];
    claim.onLost((why) => lost.push(why));
    // That it does not lapse takes as long as a lapse would.
    await sleep(1.1 * patient.lapseMs);
    expect(claim.valid()).toBe(true);
    expect(lost).toEqual([]);
    abort.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  test("that cannot be renewed has lapsed before another node has it; its holder hears of both", async () => {
    await addNodes();
    const claim = await cut.claims.claim(0, "a");
    await claim.publish(owner(1));
    const lost: string[] = [];
    claim.onLost((why) => lost.push(why));
    const waiting = whole.claims.claim(0, "b");
    network.state = "closed";
    network.cut();
    const taken = await waiting;
    expect(claim.valid()).toBe(false);
    expect(lost).toEqual(["lapsed"]);
    await taken.publish(owner(2));
    network.state = "whole";
    await expect.poll(() => lost).toEqual(["lapsed", "taken"]);
    expect(claim.valid()).toBe(false);
    await expect.poll(() => cut.directory.current(0)).toEqual(owner(2));
  });

  test("that lapsed and was not taken is valid again once it is renewed, and its owner still stands", async () => {
    await addNodes();
    const claim = await cut.claims.claim(0, "a");
    await claim.publish(owner(1));
    const lost: string[] = [];
    claim.onLost((why) => lost.push(why));
    network.state = "closed";
    network.cut();
    await expect.poll(() => lost).toEqual(["lapsed"]);
    expect(claim.valid()).toBe(false);
    network.state = "whole";
    await expect.poll(() => claim.valid()).toBe(true);
    expect(lost).toEqual(["lapsed"]);
    await expect.poll(() => whole.directory.current(0)).toEqual(owner(1));
  });

  test("whose renewal's answer was lost is not taken for another's", async () => {
    await addNodes(patient);
    const claim = await cut.claims.claim(0, "a");
    const lost: string[] = [];
    claim.onLost((why) => lost.push(why));
    for (let round = 0; round < 3; round++) {
      network.state = "noAnswers";
      const { lost: bytes } = network;
      await expect.poll(() => network.lost, { interval: 5 }).toBeGreaterThan(bytes);
      network.state = "whole";
      network.cut();
      await claim.publish(owner(round + 1));
    }
    expect(lost).toEqual([]);
    expect(claim.valid()).toBe(true);
  });

  test("outlives a SIGKILL of nats-server, and so does the directory", async () => {
    await addNodes(patient);
    const claim = await cut.claims.claim(0, "a");
    await claim.publish(owner(1));
    await expect.poll(() => whole.directory.current(0)).toEqual(owner(1));
    process.kill(nats.nats.pid ?? 0, "SIGKILL");
    await claim.publish(owner(2));
    await expect.poll(() => whole.directory.current(0)).toEqual(owner(2));
    expect(claim.valid()).toBe(true);
  });

  test("of a process that vanished is taken when it has lapsed", async () => {
    await addNodes();
    await cut.claims.claim(0, "a");
    await cut.claims.close();
    const since = performance.now();
    const claim = await whole.claims.claim(0, "b");
    expect(claim.valid()).toBe(true);
    expect(performance.now() - since).toBeGreaterThan(quick.lapseMs - 50);
  });
});

test("a claim stands while the store has no room for renewals, and is renewed when there is some", async () => {
  const small = await startTestNats("lazy", 2 * 1024 * 1024);
  const claims = new NatsPartitionClaims({ link: await small.connect(), logger: silent, ...patient });
  const claim = await claims.claim(0, "a");
  await claim.publish(owner(1));
  const lost: string[] = [];
  claim.onLost((why) => lost.push(why));
  const free = await fillStore(await small.connect());
  // That it does not lapse takes as long as a lapse would.
  await sleep(1.1 * patient.lapseMs);
  expect(claim.valid()).toBe(true);
  const directory = new NatsOwnerDirectory(await small.connect("scheduler"), quick);
  await expect.poll(() => directory.current(0)).toEqual(owner(1));
  await free();
  await claim.publish(owner(2));
  await expect.poll(() => directory.current(0)).toEqual(owner(2));
  expect(lost).toEqual([]);
  directory.close();
  await claims.close();
  await small.close();
});

test("a directory finds what it missed: a bucket that was made later, and a word that was lost", async () => {
  const network = await TcpProxy.start(nats.nats.url);
  const { directory } = await addNode({ url: network.url });
  expect(directory.current(0)).toBeUndefined();
  const { claims } = await addNode();
  const claim = await claims.claim(0, "a");
  await claim.publish(owner(1));
  await expect.poll(() => directory.current(0)).toEqual(owner(1));
  network.state = "noAnswers";
  const { lost } = network;
  await claim.publish(owner(2));
  await claim.release();
  await expect.poll(() => network.lost, { interval: 5 }).toBeGreaterThan(lost);
  network.state = "whole";
  await expect.poll(() => directory.current(0), { timeout: 30_000 }).toBeUndefined();
  await closeNodes();
  await network.close();
});
