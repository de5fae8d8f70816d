import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { isPassing, JetStreamRefusal, jetStreamErrors, jetStreamRequest } from "../nats/jetstream-api.js";
import { streams, subjects } from "../nats/subjects.js";

const limitMs = 30_000;

/**
 * Makes sure that the stream of payloads is there. Needs the user `queue`.
 *
 * @throws JetStreamRefusal if there is a stream of this name that cannot become it, JetStreamAway if NATS does not answer within 30 s.
 */
export async function ensurePayloadStream(connection: NatsConnection, replicas: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  let operation = "STREAM.CREATE";
  for (;;) {
    try {
      await jetStreamRequest(connection, `${operation}.${streams.payloads}`, { ...config, num_replicas: replicas });
      return;
    } catch (error) {
      if (error instanceof JetStreamRefusal && error.code === jetStreamErrors.streamNameInUse && operation === "STREAM.CREATE") {
        operation = "STREAM.UPDATE";
        continue;
      }
      if (!isPassing(error) || performance.now() > deadline || connection.isClosed()) throw error;
      await sleep(100);
    }
  }
}

/** A message a chunk, a subject a payload: a payload is removed by a purge of its subject, and leaves nothing behind. */
const config = {
  name: streams.payloads,
  description: "Runlane: payloads and outputs that are too large for the log",
  subjects: [subjects.allPayloads],
  storage: "file",
  retention: "limits",
  // Refuse what is new, keep what is there: no run loses its payload to another one's.
  discard: "new",
  max_consumers: -1,
  max_msgs: -1,
  max_bytes: -1,
  max_age: 0,
  max_msg_size: -1,
  max_msgs_per_subject: -1,
  deny_delete: true,
  deny_purge: false,
  allow_rollup_hdrs: false,
  allow_direct: true,
};
