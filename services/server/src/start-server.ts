import { startExecutor } from "@runlane/executor";
import {
  connectNats,
  createMemoryTransport,
  MemoryOwnership,
  openDataFolder,
  type PayloadStore,
  secretKeyOf,
  serverFile,
  startEmbeddedNats,
} from "@runlane/platform";
import { startScheduler } from "@runlane/scheduler";
import type { RunningServer, WholeServerOptions } from "./server-options.js";
import { orAborted, ServerProcess } from "./server-process.js";
import { startPartition } from "./start-partition.js";

export type { RunningServer };

/**
 * Starts Runlane in this process: scheduler, executor and the owner of the one partition, around a nats-server of its own. They speak by the memory transport. Resolves when the
 * partition is served; the listener is there earlier, so that clients of a server that restarts wait instead of trying again.
 *
 * @throws Error PortTaken, a data folder in use, a nats-server that does not run; whatever was started until then is stopped
 */
export async function startServer(options: WholeServerOptions): Promise<RunningServer> {
  const { logger, signal } = options;
  const server = new ServerProcess(options);
  const { stops } = server;
  try {
    const folder = await openDataFolder(options.dataFolder);
    stops.add("data folder", () => folder.release());
    const secretKey = await secretKeyOf(folder.path, options.env);
    await server.answerHealth();

    const ownership = new MemoryOwnership();
    const transport = createMemoryTransport({ logger });
    stops.add("transport", () => transport.close());
    const room = { nodeId: folder.nodeId, transport, directory: ownership };
    let storeOpened: (payloads: PayloadStore) => void = () => {};
    const store = new Promise<PayloadStore>((resolve) => {
      storeOpened = resolve;
    });
    const scheduler = await startScheduler({ ...room, payloads: store, logger: logger.child({ service: "scheduler" }) });
    stops.add("scheduler", () => scheduler.close());
    const executor = await startExecutor({ ...room, logger: logger.child({ service: "executor" }) });
    stops.add("executor", () => executor.close());
    await server.listen(secretKey, { scheduler, executor });
    signal?.throwIfAborted();

    const natsLogger = logger.child({ service: "nats" });
    const nats = await startEmbeddedNats({
      binary: options.natsServer,
      dataDir: folder.path,
      sync: options.sync,
      storeLimit: options.storeLimit,
      logger: natsLogger,
    });
    stops.add("nats-server", () => nats.stop());
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
