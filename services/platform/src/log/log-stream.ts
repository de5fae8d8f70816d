import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { isPassing, JetStreamRefusal, jetStreamErrors, jetStreamRequest } from "../nats/jetstream-api.js";
import { streams, subjects } from "../nats/subjects.js";

const limitMs = 30_000;

/**
 * Makes sure that a partition's stream is there and configured as a log must be. Keeps the records of one that is.
 *
 * @throws JetStreamRefusal if there is a stream of this name that cannot become one, JetStreamAway if NATS does not answer within 30 s.
 */
export async function ensureLogStream(connection: NatsConnection, partition: number, replicas: number): Promise<void> {
  const config = logStreamConfig(partition, replicas);
  const deadline = performance.now() + limitMs;
  let operation = "STREAM.CREATE";
  for (;;) {
    try {
      await jetStreamRequest(connection, `${operation}.${config.name}`, config);
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

/** Nothing but its owner deletes from a log: no limits, and no message that is not an append. */
function logStreamConfig(partition: number, replicas: number) {
  return {
    name: streams.log(partition),
    description: `Runlane: log of partition ${partition}`,
    subjects: [subjects.log(partition)],
    storage: "file",
    num_replicas: replicas,
    retention: "limits",
    // Where a limit is reached after all, say that of the disk: refuse what is new, keep what is there.
    discard: "new",
    max_consumers: -1,
    max_msgs: -1,
    max_bytes: -1,
    max_age: 0,
    max_msg_size: -1,
    max_msgs_per_subject: -1,
    // Single records are never deleted; the owner purges from the beginning.
    deny_delete: true,
    deny_purge: false,
    // A header of a publish could otherwise delete what came before.
    allow_rollup_hdrs: false,
    allow_direct: true,
    metadata: { "dev.runlane.log": "1" },
  };
}
