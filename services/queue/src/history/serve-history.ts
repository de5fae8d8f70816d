import type { MessagePort } from "node:worker_threads";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { connectNats, createLogger, JetStreamLog, JetStreamSnapshotStore, refusalOf, statusOf } from "@runlane/platform";
import { StatusSchema } from "@runlane/platform/gen/google/rpc/status_pb.js";
import {
  AwaitChangesRequestSchema,
  AwaitChangesResponseSchema,
  FindRunsRequestSchema,
  FindRunsResponseSchema,
} from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { RunSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { Projection } from "./projection.js";
import type { FromThread, ThreadCall, ThreadData, ToThread } from "./thread-messages.js";

/** Taken bytes are reported together. */
const reportedBytes = 256 * 1024;

/** Serves history at `port`, the thread's end of it. Resolves when it is open; rejects if it cannot be opened. */
export async function serveHistory(port: MessagePort, data: ThreadData): Promise<void> {
  const send = (message: FromThread) => port.postMessage(message);
  const logger = createLogger({ name: "history", env: { RUNLANE_LOG_LEVEL: data.logLevel }, destination: { write: (line) => send({ kind: "log", line }) } });
  const link = await connectNats({ ...data.nats, name: "runlane history", logger, timeoutMs: 60_000 });
  const log = JetStreamLog.of({ link, partition: data.partition, logger });
  const projection = await Projection.open({
    file: data.file,
    log,
    snapshots: new JetStreamSnapshotStore({ link, partition: data.partition }),
    logger,
  });
  let unreported = 0;
  port.on("message", (message: ToThread) => receive(message));
  send({ kind: "open", position: projection.position });

  function receive(message: ToThread): void {
    switch (message.kind) {
      case "begin":
        return projection.begin(message.epoch);
      case "record":
        projection.take(message.sequence, message.record);
        unreported += message.record.length;
        if (unreported < reportedBytes) return;
        send({ kind: "took", bytes: unreported });
        unreported = 0;
        return;
      case "know":
        return projection.know(message.sequence);
      case "call":
        return void answer(message.id, message);
      case "close":
        return void close();
    }
  }

  async function answer(id: number, call: ThreadCall): Promise<void> {
    try {
      const response = await responseOf(call);
      send({ kind: "answer", id, response });
    } catch (error) {
      send({ kind: "refused", id, status: toBinary(StatusSchema, statusOf(refusalOf(error, logger, "history"))) });
    }
  }

  async function responseOf(call: ThreadCall): Promise<Uint8Array | undefined> {
    switch (call.method) {
      case "find":
        return toBinary(FindRunsResponseSchema, await projection.find(fromBinary(FindRunsRequestSchema, call.request)));
      case "awaitChanges":
        return toBinary(AwaitChangesResponseSchema, await projection.awaitChanges(fromBinary(AwaitChangesRequestSchema, call.request)));
      case "secure":
        return new TextEncoder().encode(String(projection.secure()));
      case "read": {
        const run = await projection.read(call.environment, call.runId, call.sequence);
        return run && toBinary(RunSchema, run);
      }
    }
  }

  async function close(): Promise<void> {
    projection.close();
    await log.close();
    await link.close();
    port.close();
  }
}
