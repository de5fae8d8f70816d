import type { NatsConnection } from "@nats-io/transport-node";
import { ensureStream, keptStream } from "../nats/ensure-stream.js";
import { streams, subjects } from "../nats/subjects.js";

/**
 * Makes sure that the stream of payloads is there: a message a chunk, a subject a payload, so that a payload is removed by a purge of its subject, and leaves nothing behind. What is full
 * refuses what is new: no run loses its payload to another one's. Needs the user `queue`.
 *
 * @throws JetStreamRefusal if there is a stream of this name that cannot become it, JetStreamAway if NATS does not answer within 30 s.
 */
export async function ensurePayloadStream(connection: NatsConnection, replicas: number): Promise<void> {
  await ensureStream(connection, {
    ...keptStream,
    name: streams.payloads,
    description: "Runlane: payloads and outputs that are too large for the log",
    subjects: [subjects.allPayloads],
    num_replicas: replicas,
  });
}
