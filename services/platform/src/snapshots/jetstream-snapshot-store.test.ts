import { afterAll, beforeAll } from "vitest";
import { startTestNats, type TestNats } from "../nats/nats.fixture.js";
import { JetStreamSnapshotStore } from "./jetstream-snapshot-store.js";
import { snapshotStoreSuite } from "./snapshot-store.suite.js";
import { ensureSnapshotStream } from "./snapshot-stream.js";

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.close());

snapshotStoreSuite("JetStreamSnapshotStore", async () => {
  const link = await nats.connect();
  await ensureSnapshotStream(link.connection, 1);
  // Another partition's are not seen.
  await new JetStreamSnapshotStore({ link, partition: 10 }).put("9-z", [Buffer.from("a")]);
  return { store: new JetStreamSnapshotStore({ link, partition: 1 }), close: () => link.close() };
});
