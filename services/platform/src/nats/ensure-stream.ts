import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { isPassing, JetStreamRefusal, jetStreamErrors, jetStreamRequest } from "./jetstream-api.js";

/** A stream's configuration, as JetStream takes it. */
export interface StreamConfig {
  readonly name: string;
  readonly num_replicas: number;
  readonly [setting: string]: unknown;
}

/** What Runlane's streams have in common: they lie in files, nothing but their owner makes them smaller, and single messages are never deleted. */
export const keptStream = {
  storage: "file",
  retention: "limits",
  // Where a limit is reached after all, say that of the disk: refuse what is new, keep what is there.
  discard: "new",
  max_consumers: -1,
  max_msgs: -1,
  max_bytes: -1,
  max_age: 0,
  max_msg_size: -1,
  max_msgs_per_subject: -1,
  deny_delete: true,
  deny_purge: false,
  // A header of a publish could otherwise delete what came before.
  allow_rollup_hdrs: false,
  allow_direct: true,
} as const;

/**
 * Makes sure that a stream is there and configured so; keeps the messages of one that is. While JetStream says that it cannot at present, it is asked again for `patienceMs` milliseconds.
 *
 * @throws JetStreamRefusal if there is a stream of this name that cannot become it, JetStreamAway if NATS does not answer within `patienceMs`.
 */
export async function ensureStream(connection: NatsConnection, config: StreamConfig, patienceMs = 30_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
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
      if (!isPassing(error) || performance.now() >= deadline || connection.isClosed()) throw error;
      await sleep(100);
    }
  }
}
