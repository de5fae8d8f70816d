// A worker of BullMQ, as its documentation shows it: one process, many jobs at once.
import { Worker } from "bullmq";
import { bullmqQueue, bullmqTasks } from "../systems/bullmq.js";

const port = Number(process.env.BENCH_REDIS_PORT);
const concurrency = Number(process.argv[2]);
const worker = new Worker(bullmqQueue, async (job) => bullmqTasks[job.name as keyof typeof bullmqTasks](job.data), {
  connection: { host: "127.0.0.1", port },
  concurrency,
});
worker.on("error", (error) => console.error(error));
process.on("SIGTERM", () => process.exit(0));
