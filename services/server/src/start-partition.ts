import { join } from "node:path";
import {
  ensurePayloadStream,
  ensureSnapshotStream,
  type InternalTransport,
  JetStreamLog,
  JetStreamPayloadStore,
  JetStreamSnapshotStore,
  type Logger,
  type NatsCredentials,
  type NatsLink,
  type PartitionClaims,
  type PayloadStore,
} from "@runlane/platform";
import { createSnapshots, type OwnerHandle, type SnapshotRules, startHistory, startOwner } from "@runlane/queue";
import { partition, type ServerProcess } from "./server-process.js";

/** What the queue of a process stands on. */
export interface PartitionFooting {
  readonly nodeId: string;
  /** Folder for what can be made again from the log. No other process uses it. */
  readonly folder: string;
  /** Connection of the user `queue`. */
  readonly link: NatsLink;
  /** The same NATS, for connections of its own. */
  readonly nats: { readonly servers: string | string[]; readonly credentials: NatsCredentials };
  /** How many servers of a cluster keep each record. Default 1. */
  readonly replicas?: 1 | 3 | 5 | undefined;
  readonly claims: PartitionClaims;
  /** How long a run that is bound to a version waits for a worker of it, in milliseconds. Default 5 minutes. */
  readonly versionPatienceMs?: number | undefined;
  /** When a snapshot is due, and what is kept of the log. */
  readonly snapshotRules?: Partial<SnapshotRules> | undefined;
  readonly transport: InternalTransport;
  readonly logger: Logger;
}

/** Starts a queue: opens the partition's log, and owns the partition whenever it can. */
export async function startPartition(server: ServerProcess, footing: PartitionFooting): Promise<{ owner: OwnerHandle; payloads: PayloadStore }> {
  const { nodeId, folder, link, nats, replicas = 1, claims, transport, logger } = footing;
  const log = await JetStreamLog.open({ link, partition, logger, replicas });
  server.stops.add("log", () => log.close());
  await ensurePayloadStream(link.connection, replicas);
  const payloads = new JetStreamPayloadStore({ link });
  await ensureSnapshotStream(link.connection, replicas);
  const connection = { servers: nats.servers, ...nats.credentials };
  const snapshots = createSnapshots({ partition, store: new JetStreamSnapshotStore({ link, partition }), nats: connection, logger });
  const history = startHistory({ file: join(folder, "history", "runs.db"), partition, nats: connection, logger });
  server.stops.add("history", () => history.close());
  const owner = startOwner({
    partition,
    nodeId,
    log,
    claims,
    history,
    payloads,
    spillFolder: join(folder, "backlog"),
    snapshots,
    snapshotRules: footing.snapshotRules,
    transport,
    logger,
    metrics: server.metrics,
    versionPatienceMs: footing.versionPatienceMs,
    onState: (state) => server.queueState(state),
  });
  server.stops.add("owner", () => owner.close());
  return { owner, payloads };
}
