import { MemoryPayloadStore } from "./memory-payload-store.js";
import { payloadStoreSuite } from "./payload-store.suite.js";

payloadStoreSuite("MemoryPayloadStore", async () => ({ store: new MemoryPayloadStore(), close: async () => {} }));
