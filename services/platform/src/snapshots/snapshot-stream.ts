import type { NatsConnection } from "@nats-io/transport-node";
import { ensureStream, keptStream } from "../nats/ensure-stream.js";
import { streams, subjects } from "../nats/subjects.js";

/**
 * Makes sure that the stream of snapshots is there: a message a chunk, a subject a snapshot. Needs the user `queue`.
 *
 * @throws JetStreamRefusal if there is a stream of this name that cannot become it, JetStreamAway if NATS does not answer within 30 s.
 */
export async function ensureSnapshotStream(connection: NatsConnection, replicas: number): Promise<void> {
  await ensureStream(connection, {
    ...keptStream,
    name: streams.snapshots,
    description: "Runlane: snapshots of what partitions know",
    subjects: [subjects.allSnapshots],
    num_replicas: replicas,
  });
}
