import type { NatsConnection } from "@nats-io/transport-node";
import { ensureStream, keptStream } from "../nats/ensure-stream.js";
import { streams, subjects } from "../nats/subjects.js";

/**
 * Makes sure that a partition's stream is there and configured as a log must be: nothing but its owner deletes from it, from the beginning, and no message is in it that is not an append.
 * Keeps the records of one that is there.
 *
 * @throws JetStreamRefusal if there is a stream of this name that cannot become one, JetStreamAway if NATS does not answer within 30 s.
 */
export async function ensureLogStream(connection: NatsConnection, partition: number, replicas: number): Promise<void> {
  await ensureStream(connection, {
    ...keptStream,
    name: streams.log(partition),
    description: `Runlane: log of partition ${partition}`,
    subjects: [subjects.log(partition)],
    num_replicas: replicas,
    metadata: { "dev.runlane.log": "1" },
  });
}
