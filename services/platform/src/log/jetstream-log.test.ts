import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { NatsLink } from "../nats/connection.js";
import { jetStreamRequest } from "../nats/jetstream-api.js";
import { fillStore, silent, startTestNats, type TestNats } from "../nats/nats.fixture.js";
import { streams, subjects } from "../nats/subjects.js";
import { suspend } from "../nats/suspend.fixture.js";
import { type NetworkState, TcpProxy } from "../nats/tcp-proxy.fixture.js";
import { JetStreamLog } from "./jetstream-log.js";
import { LogClosed, LogConflict, LogDamaged, LogFull } from "./log.js";
import { bytes, fill, logSuite, readAll, text } from "./log.suite.js";

let nats: TestNats;
let partition = 0;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.close());
beforeEach(() => {
  partition++;
});

logSuite("JetStreamLog", async () => {
  const link = await nats.connect();
  return { open: () => JetStreamLog.open({ link, partition, logger: silent }), close: () => link.close() };
});

describe("the stream", () => {
  let link: NatsLink;
  const api = (operation: string, body: object) => jetStreamRequest(link.connection, `${operation}.${streams.log(partition)}`, body);
  beforeEach(async () => {
    link = await nats.connect();
  });

  test("has no limit, and takes one that has as its own", async () => {
    const config = { name: streams.log(partition), subjects: [subjects.log(partition)], storage: "file", max_msgs: 2, max_age: 60_000_000_000, discard: "old" };
    await api("STREAM.CREATE", config);
    const log = await JetStreamLog.open({ link, partition, logger: silent });
    await fill(log, 3);
    expect(await readAll(log, 1)).toHaveLength(3);
    const { config: now } = await jetStreamRequest<{ config: object }>(link.connection, `STREAM.INFO.${streams.log(partition)}`);
    expect(now).toMatchObject({ max_msgs: -1, max_bytes: -1, max_age: 0, discard: "new", retention: "limits", deny_delete: true, allow_direct: true });
  });

  test("at its limit refuses with LogFull, and takes the same append when there is room again", async () => {
    const log = await JetStreamLog.open({ link, partition, logger: silent });
    await fill(log, 2);
    const limited = { name: streams.log(partition), subjects: [subjects.log(partition)], discard: "new", deny_delete: true, allow_direct: true };
    await api("STREAM.UPDATE", { ...limited, max_bytes: 200 });
    await expect(log.append(2, new Uint8Array(500).fill(1))).rejects.toThrow(LogFull);
    expect(log.healthy).toBe(true);
    await api("STREAM.UPDATE", { ...limited, max_bytes: -1 });
    expect(await log.append(2, new Uint8Array(500).fill(1))).toBe(3);
  });

  test("whose server has no room refuses with LogFull, and takes the same append when there is room again", async () => {
    const small = await startTestNats("lazy", 2 * 1024 * 1024);
    const log = await JetStreamLog.open({ link: await small.connect(), partition, logger: silent });
    await fill(log, 2);
    const free = await fillStore(await small.connect());
    await expect(log.append(2, new Uint8Array(500).fill(1))).rejects.toThrow(LogFull);
    expect(await readAll(log, 1)).toHaveLength(2);
    await free();
    expect(await log.append(2, new Uint8Array(500).fill(1))).toBe(3);
    await log.close();
    await small.close();
  });

  test("that has lost a record is damaged, and read up to there", async () => {
    await api("STREAM.CREATE", { name: streams.log(partition), subjects: [subjects.log(partition)], storage: "file", discard: "new" });
    const log = await JetStreamLog.open({ link: await nats.connect(), partition, logger: silent });
    await log.close();
    await api("STREAM.DELETE", {});
    await api("STREAM.CREATE", { name: streams.log(partition), subjects: [subjects.log(partition)], storage: "file", discard: "new" });
    for (const letters of ["a1", "a2", "a3", "a4"]) await link.connection.request(subjects.log(partition), letters);
    await api("STREAM.MSG.DELETE", { seq: 3 });
    const damaged = await JetStreamLog.open({ link, partition, logger: silent });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { record } of damaged.read(1)) seen.push(text(record) ?? "");
    })();
    await expect(reading).rejects.toThrow(LogDamaged);
    expect(seen).toEqual(["a1", "a2"]);
  });

  test("may be purged while it is read", async () => {
    const log = await JetStreamLog.open({ link, partition, logger: silent });
    await fill(log, 2_100);
    const seen: number[] = [];
    for await (const { sequence } of log.read(1)) {
      seen.push(sequence);
      if (sequence === 500) await log.purge(2_051);
    }
    expect(seen.slice(-50)).toEqual(Array.from({ length: 50 }, (_, index) => 2_051 + index));
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe("on a network that fails", () => {
  let network: TcpProxy;
  let log: JetStreamLog;
  let direct: JetStreamLog;
  beforeEach(async () => {
    network = await TcpProxy.start(nats.nats.url);
    log = await JetStreamLog.open({ link: await nats.connect("queue", network.url), partition, logger: silent });
    direct = await JetStreamLog.open({ link: await nats.connect(), partition, logger: silent });
    await fill(log, 1);
  });
  afterEach(() => network.close());

  /** Lets the connection be cut and come back. */
  function heal(): void {
    network.state = "whole";
    network.cut();
  }

  test("an append whose answer was lost is known again, and is in the log once", async () => {
    network.state = "noAnswers";
    const append = log.append(1, bytes("a2"));
    await expect.poll(() => direct.last()).toBe(2);
    heal();
    expect(await append).toBe(2);
    expect(await readAll(log, 1)).toEqual(["1:a1", "2:a2"]);
    expect(await log.append(2, bytes("a3"))).toBe(3);
  });

  test("an append that was lost on its way is made again as soon as the connection is back", async () => {
    // Of five measurements one has to be in time: on a busy machine each may be late for reasons that are not the log's.
    let shortestMs = Number.POSITIVE_INFINITY;
    for (let last = 1; last <= 5; last++) {
      const { lost } = network;
      network.state = "noRequests";
      const append = log.append(last, bytes(`a${last + 1}`));
      await expect.poll(() => network.lost, { interval: 1 }).toBeGreaterThan(lost);
      heal();
      const since = performance.now();
      expect(await append).toBe(last + 1);
      shortestMs = Math.min(shortestMs, performance.now() - since);
    }
    expect(shortestMs).toBeLessThan(500);
    expect(await readAll(log, 1)).toEqual(["1:a1", "2:a2", "3:a3", "4:a4", "5:a5", "6:a6"]);
  });

  test("an append that was lost while another writer came is a conflict", async () => {
    network.state = "noRequests";
    const append = log.append(1, bytes("a2"));
    append.catch(() => {});
    expect(await direct.append(1, bytes("b2"))).toBe(2);
    heal();
    await expect(append).rejects.toThrow(LogConflict);
    expect(await readAll(log, 1)).toEqual(["1:a1", "2:b2"]);
  });

  test("an append that was stored before another writer came is stored, whatever came after", async () => {
    network.state = "noAnswers";
    const append = log.append(1, bytes("a2"));
    await expect.poll(() => direct.last()).toBe(2);
    expect(await direct.append(2, bytes("b3"))).toBe(3);
    heal();
    expect(await append).toBe(2);
    await expect(log.append(2, bytes("a3"))).rejects.toThrow(LogConflict);
  });

  test("it is unhealthy once it has waited for a second, appending or not, and appends go on by themselves", async () => {
    network.state = "closed";
    network.cut();
    const append = log.append(1, bytes("a2"));
    expect(log.healthy).toBe(true);
    await expect.poll(() => log.healthy).toBe(false);
    network.state = "whole";
    expect(await append).toBe(2);
    expect(log.healthy).toBe(true);
    network.state = "closed";
    network.cut();
    await expect.poll(() => log.healthy).toBe(false);
    network.state = "whole";
    await expect.poll(() => log.healthy).toBe(true);
    expect(await log.last()).toBe(2);
  });

  test("closing gives up what waits", async () => {
    network.state = "closed";
    network.cut();
    const waiting = [log.append(1, bytes("a2")), log.last(), readAll(log, 1)];
    const outcomes = Promise.allSettled(waiting);
    await log.close();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(LogClosed) });
  });

  test("whatever is lost and cut, each append is in the log once and in its place", async () => {
    const states: NetworkState[] = ["whole", "noAnswers", "noRequests"];
    let last = 1;
    for (let round = 0; round < 25; round++) {
      network.state = states[round % states.length] as NetworkState;
      const healed = sleep((round * 7) % 23).then(heal);
      for (let more = 0; more < 5; more++) last = await log.append(last, bytes(`a${last + 1}`));
      await healed;
    }
    expect(await readAll(direct, 1)).toEqual(Array.from({ length: 126 }, (_, index) => `${index + 1}:a${index + 1}`));
  });
});

describe("when nats-server", () => {
  let log: JetStreamLog;
  beforeEach(async () => {
    log = await JetStreamLog.open({ link: await nats.connect(), partition, logger: silent });
  });

  test("is killed, what was acknowledged is there, and appends go on at once", async () => {
    let last = 0;
    let longestMs = 0;
    for (let kill = 0; kill < 4; kill++) {
      const killed = sleep(30).then(() => process.kill(nats.nats.pid ?? 0, "SIGKILL"));
      for (const until = last + 300; last < until; ) {
        const since = performance.now();
        last = await log.append(last, bytes(`a${last + 1}`));
        longestMs = Math.max(longestMs, performance.now() - since);
      }
      await killed;
    }
    const read = await readAll(log, 1);
    expect(read).toHaveLength(last);
    expect(read.every((line, index) => line === `${index + 1}:a${index + 1}`)).toBe(true);
    // A server that hangs is noticed after 15 s; that one is gone is noticed by its connection.
    expect(longestMs).toBeLessThan(10_000);
  });

  test("is killed while the log is read, reading goes on", async () => {
    for (let last = 0; last < 2_100; last++) await log.append(last, new Uint8Array(200).fill(1));
    let expected = 0;
    for await (const { sequence } of log.read(1)) {
      expect(sequence).toBe(++expected);
      if (sequence === 10) process.kill(nats.nats.pid ?? 0, "SIGKILL");
    }
    expect(expected).toBe(2_100);
  });

  test("hangs, the log is unhealthy after a second, and the append goes on when it goes on", async () => {
    const { pid = 0 } = nats.nats;
    await fill(log, 1);
    await suspend(pid);
    const append = log.append(1, bytes("a2"));
    await expect.poll(() => log.healthy).toBe(false);
    process.kill(pid, "SIGCONT");
    expect(await append).toBe(2);
    expect(log.healthy).toBe(true);
  });
});
