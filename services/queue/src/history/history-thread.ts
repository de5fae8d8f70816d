import { parentPort, workerData } from "node:worker_threads";
import { lowerPriority } from "../threads/low-priority.js";
import type { ThreadData } from "./thread-messages.js";

if (!parentPort) throw new Error("history-thread.js is the entry of a thread");
lowerPriority();
// Only now: loading what history is made of takes a third of a second, in which a server that comes back has better things to do.
const { serveHistory } = await import("./serve-history.js");
await serveHistory(parentPort, workerData as ThreadData);
