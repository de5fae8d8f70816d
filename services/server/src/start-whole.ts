import { startExecutor } from "@runlane/executor";
import {
  connectNats,
  createMemoryTransport,
  type DataFolder,
  type LaunchedNats,
  MemoryOwnership,
  type PayloadStore,
  type SecretKey,
  serverFile,
} from "@runlane/platform";
import { startScheduler } from "@runlane/scheduler";
import type { RunningServer, WholeServerOptions } from "./server-options.js";
import { orAborted, ServerProcess } from "./server-process.js";
import { startPartition } from "./start-partition.js";

/** What is there before the services are. */
interface Ground {
  readonly folder: DataFolder;
  readonly secretKey: SecretKey;
  readonly nats: LaunchedNats;
}

/** Starts the services of a server in one process around its nats-server, which is starting. @throws Error as startServer does; then the ground is left, too */
export async function startWhole(options: WholeServerOptions, { folder, secretKey, nats: launched }: Ground): Promise<RunningServer> {
  const { logger, signal } = options;
  const server = new ServerProcess(options);
  const { stops } = server;
  stops.add("data folder", () => folder.release());
  stops.add("nats-server", async () => await (await launched.running.catch(() => undefined))?.stop());
  try {
    signal?.throwIfAborted();
    await server.answerHealth();

    const ownership = new MemoryOwnership();
    const transport = createMemoryTransport({ logger });
    stops.add("transport", () => transport.close());
    const room = { nodeId: folder.nodeId, transport, directory: ownership };
    let storeOpened: (payloads: PayloadStore) => void = () => {};
    const store = new Promise<PayloadStore>((resolve) => {
      storeOpened = resolve;
    });
    const scheduler = await startScheduler({ ...room, payloads: store, publicUrl: server.publicUrl, logger: logger.child({ service: "scheduler" }) });
    stops.add("scheduler", () => scheduler.close());
    const executor = await startExecutor({ ...room, logger: logger.child({ service: "executor" }) });
    stops.add("executor", () => executor.close());
    await server.listen(secretKey, { scheduler, executor });
    signal?.throwIfAborted();

    const nats = await launched.running;
    // Whatever ends this process, short of SIGKILL, ends nats-server. One that is left by SIGKILL is found by the next start.
    const endNats = () => {
      if (nats.pid !== undefined) process.kill(nats.pid, "SIGTERM");
    };
    process.once("exit", endNats);
    void nats.exited.then(() => process.removeListener("exit", endNats));
    signal?.throwIfAborted();

    const queueLogger = logger.child({ service: "queue" });
    const link = await connectNats({ servers: nats.url, ...nats.credentials.queue, name: "runlane queue", logger: queueLogger });
    stops.add("connection", () => link.close());
    server.needsLink("nats", link);
    const { owner, payloads } = await startPartition(server, {
      nodeId: folder.nodeId,
      folder: folder.path,
      link,
      nats: { servers: nats.url, credentials: nats.credentials.queue },
      claims: ownership,
      versionPatienceMs: options.versionPatienceMs,
      snapshotRules: options.snapshotRules,
      transport,
      logger: queueLogger,
    });
    storeOpened(payloads);
    await orAborted(owner.ready, signal);
    return await server.serves(serverFile, { sync: options.sync });
  } catch (error) {
    await stops.stop();
    throw error;
  }
}
