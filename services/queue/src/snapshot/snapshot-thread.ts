import { parentPort, workerData } from "node:worker_threads";
import { lowerPriority } from "../threads/low-priority.js";
import type { SnapshotThreadData } from "./snapshot-messages.js";

if (!parentPort) throw new Error("snapshot-thread.js is the entry of a thread");
lowerPriority();
// Only now, at low priority: loading takes a third of a second.
const { writeInThread } = await import("./write-in-thread.js");
await writeInThread(parentPort, workerData as SnapshotThreadData);
