import { startExecutor } from "@runlane/executor";
import {
  connectNats,
  createAuthenticator,
  createMemoryTransport,
  JetStreamLog,
  type Logger,
  MemoryOwnership,
  type NatsSync,
  openDataFolder,
  removeServerFile,
  secretKeyOf,
  startEmbeddedNats,
  startGrpcServer,
  writeServerFile,
} from "@runlane/platform";
import { startOwner } from "@runlane/queue";
import { startScheduler } from "@runlane/scheduler";
import { StopOrder } from "./stop-order.js";

/** How a server is started. */
export interface ServerOptions {
  /** Absolute path of the data folder. Made if it is not there. */
  dataFolder: string;
  /** Where to listen for gRPC: `host:port`; port 0 takes any free one. */
  listen: string;
  /** When records are brought to the disk. */
  sync: NatsSync;
  /** Path of the nats-server program. */
  natsServer: string;
  logger: Logger;
  /** For the secret key. Default: the process's. */
  env?: NodeJS.ProcessEnv;
  /** Gives the start up. */
  signal?: AbortSignal;
  /** How long calls under way may take when the server stops, in milliseconds. Default 500: workers and clients hold streams that do not end by themselves. */
  graceMs?: number;
}

/** A server that serves. */
export interface RunningServer {
  /** The address for clients on this machine. */
  readonly address: string;
  /** Stops everything, nats-server last. Idempotent. */
  stop(): Promise<void>;
}

/**
 * A connection is asked to end after an hour, so that clients behind a balancer spread again; SDK and workers open another and lose nothing. Measured from its beginning, with a tenth of jitter
 * (grpc-js), and a minute of grace for streams.
 */
const maxConnectionAgeMs = 60 * 60_000;

/** The one partition of an installation on one machine. */
const partition = 0;

/** The parts, in the order in which they stop: first nobody comes in, then what is under way ends, then what it stands on. */
const stopOrder = ["server file", "listener", "scheduler", "executor", "owner", "transport", "log", "connection", "nats-server", "data folder"] as const;

/**
 * Starts Runlane in this process: scheduler, executor and the owner of the one partition, around a nats-server of its own. They speak by the memory transport. Resolves when the
 * partition is served; the listener is there earlier, so that clients of a server that restarts wait instead of trying again.
 *
 * @throws Error PortTaken, a data folder in use, a nats-server that does not run; whatever was started until then is stopped
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { logger, signal, graceMs = 500 } = options;
  const stops = new StopOrder(stopOrder, logger);
  try {
    const folder = await openDataFolder(options.dataFolder);
    stops.add("data folder", () => folder.release());
    const secretKey = await secretKeyOf(folder.path, options.env);

    const ownership = new MemoryOwnership();
    const transport = createMemoryTransport({ logger });
    stops.add("transport", () => transport.close());
    const room = { nodeId: folder.nodeId, transport, directory: ownership };
    const scheduler = await startScheduler({ ...room, logger: logger.child({ service: "scheduler" }) });
    stops.add("scheduler", () => scheduler.close());
    const executor = await startExecutor({ ...room, logger: logger.child({ service: "executor" }) });
    stops.add("executor", () => executor.close());

    const listener = await startGrpcServer({
      listen: options.listen,
      services: [...scheduler.services, ...executor.services],
      authenticate: createAuthenticator([secretKey]),
      maxConnectionAgeMs,
      logger,
    });
    stops.add("listener", () => {
      executor.drain(graceMs);
      return listener.drain(graceMs);
    });
    signal?.throwIfAborted();

    const nats = await startEmbeddedNats({ binary: options.natsServer, dataDir: folder.path, sync: options.sync, logger: logger.child({ service: "nats" }) });
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
    const log = await JetStreamLog.open({ link, partition, logger: queueLogger });
    stops.add("log", () => log.close());
    const owner = startOwner({ partition, nodeId: folder.nodeId, log, claims: ownership, transport, logger: queueLogger });
    stops.add("owner", () => owner.close());
    await orAborted(owner.ready, signal);

    await writeServerFile(folder.path, { address: listener.address, pid: process.pid, startedAt: new Date().toISOString() });
    stops.add("server file", () => removeServerFile(folder.path));
    logger.info({ address: listener.address, dataFolder: folder.path, sync: options.sync }, "Runlane serves");
    return { address: listener.address, stop: () => stops.stop() };
  } catch (error) {
    await stops.stop();
    throw error;
  }
}

/** Waits for `promise`, unless `signal` is aborted first. */
async function orAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await promise;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  await Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
}
