import type { MessagePort } from "node:worker_threads";
import { connectNats, createLogger, JetStreamLog, JetStreamSnapshotStore } from "@runlane/platform";
import type { SnapshotMessage, SnapshotThreadData } from "./snapshot-messages.js";
import { writeSnapshot } from "./write-snapshot.js";

/** Writes a snapshot over a connection of its own, and says so at `port`, the thread's end of it. */
export async function writeInThread(port: MessagePort, { partition, nats, to, logLevel }: SnapshotThreadData): Promise<void> {
  const send = (message: SnapshotMessage) => port.postMessage(message);
  const logger = createLogger({ name: "snapshot", env: { RUNLANE_LOG_LEVEL: logLevel }, destination: { write: (line) => send({ kind: "log", line }) } });
  const link = await connectNats({ ...nats, name: "runlane snapshot", logger, timeoutMs: 60_000 });
  const log = JetStreamLog.of({ link, partition, logger });
  send({ kind: "written", snapshot: await writeSnapshot({ log, store: new JetStreamSnapshotStore({ link, partition }), to, logger }) });
}
