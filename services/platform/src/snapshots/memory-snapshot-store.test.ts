import { MemorySnapshotStore } from "./memory-snapshot-store.js";
import { snapshotStoreSuite } from "./snapshot-store.suite.js";

snapshotStoreSuite("MemorySnapshotStore", async () => ({ store: new MemorySnapshotStore(), close: async () => {} }));
