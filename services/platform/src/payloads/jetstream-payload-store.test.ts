import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { reasonOf } from "../errors.js";
import { jetStreamRequest } from "../nats/jetstream-api.js";
import { fillStore, startTestNats, type TestNats } from "../nats/nats.fixture.js";
import { streams } from "../nats/subjects.js";
import { JetStreamPayloadStore } from "./jetstream-payload-store.js";
import { mintReference } from "./payload-store.js";
import { contentOf, payloadStoreSuite, reasonOfGetting } from "./payload-store.suite.js";
import { ensurePayloadStream } from "./payload-stream.js";

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats("lazy", 32 * 1024 * 1024);
});
afterAll(() => nats.close());

payloadStoreSuite("JetStreamPayloadStore", async () => {
  const link = await nats.connect();
  await ensurePayloadStream(link.connection, 1);
  return {
    store: new JetStreamPayloadStore({ link }),
    close: async () => {
      await jetStreamRequest(link.connection, `STREAM.PURGE.${streams.payloads}`);
      await link.close();
    },
  };
});

describe("on a server that Runlane set up", () => {
  const newName = () => ({ environment: "dev", reference: mintReference() });
  const storeOf = async (user?: "scheduler" | "executor") => new JetStreamPayloadStore({ link: await nats.connect(user) });
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  test("the scheduler puts and gets, and only the owner removes", async () => {
    const payload = newName();
    const scheduler = await storeOf("scheduler");
    expect(await scheduler.put(payload, [Buffer.from("abc")])).toBe(3);
    expect((await contentOf(scheduler.get(payload))).toString()).toBe("abc");
    expect(await scheduler.remove(payload).catch(reasonOf)).toBe("LOG_UNAVAILABLE");
    await (await storeOf()).remove(payload);
    expect(await reasonOfGetting(scheduler, payload)).toBe("PAYLOAD_NOT_FOUND");
  });

  test("the executor has no business here", async () => {
    const executor = await storeOf("executor");
    expect(await executor.put(newName(), [Buffer.from("abc")]).catch(reasonOf)).toBe("LOG_UNAVAILABLE");
    expect(await reasonOfGetting(executor, newName())).toBe("LOG_UNAVAILABLE");
  });

  test("nothing is left of what was removed", async () => {
    const store = await storeOf();
    const link = await nats.connect();
    const messages = async () => (await jetStreamRequest<{ state: { messages: number } }>(link.connection, `STREAM.INFO.${streams.payloads}`)).state.messages;
    const before = await messages();
    const payload = newName();
    await store.put(payload, [Buffer.from("a"), Buffer.from("b")]);
    expect(await messages()).toBe(before + 2);
    await store.remove(payload);
    expect(await messages()).toBe(before);
  });

  test("a full store refuses with LOG_FULL, goes on reading, and takes payloads again when there is room", async () => {
    const store = await storeOf();
    const payload = newName();
    await store.put(payload, [Buffer.from("abc")]);
    const makeRoom = await fillStore(await nats.connect());
    expect(await store.put(newName(), [Buffer.alloc(256 * 1024)]).catch(reasonOf)).toBe("LOG_FULL");
    expect((await contentOf(store.get(payload))).toString()).toBe("abc");
    await makeRoom();
    expect(await store.put(newName(), [Buffer.alloc(256 * 1024)])).toBe(256 * 1024);
  });

  test("a payload survives that nats-server is killed, and the store goes on by itself", async () => {
    const store = await storeOf();
    const payload = newName();
    await store.put(payload, [Buffer.from("abc")]);
    process.kill(nats.nats.pid ?? 0, "SIGKILL");
    await expect.poll(async () => (await contentOf(store.get(payload)).catch(reasonOf))?.toString(), { timeout: 30_000 }).toBe("abc");
  });
});
