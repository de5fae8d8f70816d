import { createHash, randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import {
  connectNats,
  createNatsTransport,
  type InternalTransport,
  JetStreamPayloadStore,
  type Logger,
  type NatsCredentials,
  type NatsLink,
  NatsOwnerDirectory,
  NatsPartitionClaims,
  openDataFolder,
  presentSecretKey,
  serverFile,
} from "@runlane/platform";
import type { RunningServer, ServiceName, ServiceProcessOptions } from "./server-options.js";
import { ServerProcess } from "./server-process.js";

/** How long to try to reach NATS, in milliseconds: processes that are started together need not wait for each other. */
const natsPatienceMs = 60_000;

/** What a service of this process stands on. */
interface Footing {
  readonly link: NatsLink;
  readonly credentials: NatsCredentials;
  readonly transport: InternalTransport;
  readonly logger: Logger;
}

/**
 * Starts some of the services in this process, on a nats-server that others share. Each has its own connection, with its own rights, and they speak by NATS, even where they are in one
 * process. Resolves when the listener is there; whether the services can do their work is what readiness says.
 *
 * @throws Error PortTaken, no secret key, a NATS that cannot be reached or refuses the credentials; whatever was started until then is stopped
 */
export async function startServices(options: ServiceProcessOptions): Promise<RunningServer> {
  const { services } = options;
  const server = new ServerProcess(options);
  try {
    const runsHere = (service: ServiceName) => services.includes(service);
    const secretKey = runsHere("scheduler") || runsHere("executor") ? await presentSecretKey(options.dataFolder, options.env) : undefined;
    await server.answerHealth();
    if (runsHere("queue")) await startQueue(server, options);
    const scheduler = runsHere("scheduler") ? await startSchedulerOn(await roomOf("scheduler", server, options), server.publicUrl) : undefined;
    if (scheduler) server.stops.add("scheduler", () => scheduler.close());
    const executor = runsHere("executor") ? await startExecutorOn(await roomOf("executor", server, options)) : undefined;
    if (executor) server.stops.add("executor", () => executor.close());
    options.signal?.throwIfAborted();
    if (secretKey) await server.listen(secretKey, { scheduler, executor });
    // Clients look into server.json: it is the file of the process that serves them.
    return await server.serves(runsHere("scheduler") ? serverFile : `server-${services.join("-")}.json`, { services });
  } catch (error) {
    await server.stops.stop();
    throw error;
  }
}

/** Connects a service to NATS. */
async function footingOf(service: ServiceName, server: ServerProcess, { nats, signal }: ServiceProcessOptions): Promise<Footing> {
  const logger = server.logger.child({ service });
  const credentials = nats.credentials[service];
  if (credentials === undefined) throw new Error(`there are no credentials for ${service}`);
  const link = await connectNats({ servers: nats.servers, ...credentials, name: `runlane ${service}`, logger, timeoutMs: natsPatienceMs, signal });
  server.stops.add("connection", () => link.close());
  server.needsLink(`nats of ${service}`, link);
  const transport = createNatsTransport(link, { user: service, logger });
  server.stops.add("transport", () => transport.close());
  return { link, credentials, transport, logger };
}

/** What a scheduler or an executor needs. It keeps nothing, so each life of it has a name of its own. */
async function roomOf(service: "scheduler" | "executor", server: ServerProcess, options: ServiceProcessOptions) {
  const { link, transport, logger } = await footingOf(service, server, options);
  const directory = new NatsOwnerDirectory(link);
  server.stops.add("directory", () => directory.close());
  server.needsOwner(directory);
  return { nodeId: randomBytes(8).toString("hex"), transport, directory, link, logger };
}

// Of the services, a process loads those that it runs.

async function startSchedulerOn({ link, ...room }: Awaited<ReturnType<typeof roomOf>>, publicUrl: string) {
  const { startScheduler } = await import("@runlane/scheduler");
  return await startScheduler({ ...room, publicUrl, payloads: new JetStreamPayloadStore({ link }) });
}

async function startExecutorOn(room: Awaited<ReturnType<typeof roomOf>>) {
  const { startExecutor } = await import("@runlane/executor");
  return await startExecutor(room);
}

async function startQueue(server: ServerProcess, options: ServiceProcessOptions): Promise<void> {
  const { replicas = 1 } = options.nats;
  const folder = await openDataFolder(join(options.dataFolder, "queue"));
  server.stops.add("data folder", () => folder.release());
  const { link, credentials, transport, logger } = await footingOf("queue", server, options);
  const claims = new NatsPartitionClaims({ link, logger, replicas });
  server.stops.add("directory", () => claims.close());
  const { startPartition } = await import("./start-partition.js");
  await startPartition(server, {
    nodeId: nodeIdOn(folder.nodeId),
    folder: folder.path,
    link,
    nats: { servers: options.nats.servers, credentials },
    replicas,
    claims,
    versionPatienceMs: options.versionPatienceMs,
    snapshotRules: options.snapshotRules,
    transport,
    logger,
  });
}

/**
 * A queue that was killed and comes back is the same node, and takes its partition again at once. Replicas in containers may share a folder by mistake, and cannot see each other's
 * processes: the machine's name is part of the node's, so that they do not take the partition from each other for ever.
 */
function nodeIdOn(folderId: string): string {
  return `${folderId}-${createHash("sha256").update(hostname()).digest("hex").slice(0, 8)}`;
}
