import { setTimeout as sleep } from "node:timers/promises";
import { connect, createInbox, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { type AccountInfo, JetStreamAway, jetStreamRequest } from "./jetstream-api.js";
import { subjects } from "./subjects.js";
import type { NatsCredentials } from "./users.js";

/** The JetStream API level of nats-server 2.14, the oldest that Runlane runs on. Older servers take newer features for granted and silently do nothing. */
export const oldestApiLevel = 4;

/** How to connect to NATS. */
export type ConnectNatsOptions = NatsCredentials & {
  /** Address or addresses, `nats://host:port`; `tls://` for a server that speaks TLS. */
  readonly servers: string | string[];
  /** Name of this connection, as NATS shows it. */
  readonly name: string;
  /** Hears of losses and returns of the connection. */
  readonly logger: Logger;
  /** How long to try before giving up. Default 10,000 ms. */
  readonly timeoutMs?: number;
  /** Gives up earlier; the promise then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
};

/** What happens to a connection: it is lost, comes back, or is closed for good. */
export type LinkEvent = "down" | "up" | "closed";

/**
 * A connection that comes back by itself for as long as it is not closed. What is published while it is down may or may not be sent later: whoever needs to
 * know watches it.
 */
export interface NatsLink {
  /** The connection. */
  readonly connection: NatsConnection;
  /** Whether it is up. */
  readonly up: boolean;
  /** Makes an address for answers, one that this connection's user may subscribe to. */
  inbox(): string;
  /** Calls `listener` at every event from now on; returns how to stop it. */
  watch(listener: (event: LinkEvent) => void): () => void;
  /** Closes it. Idempotent. */
  close(): Promise<void>;
}

/**
 * Connects to NATS and makes sure that its JetStream is new enough; looks again whenever the connection has come back, and closes it if it is not.
 *
 * @throws Error if no server could be reached in time, refused the credentials, or is too old; the message says which.
 */
export async function connectNats(options: ConnectNatsOptions): Promise<NatsLink> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = performance.now() + timeoutMs;
  const connection = await dial(options, timeoutMs, deadline);
  try {
    await checkApiLevel(connection, deadline, options.signal);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return new Link(connection, options);
}

async function dial(options: ConnectNatsOptions, timeoutMs: number, deadline: number): Promise<NatsConnection> {
  const proof =
    "creds" in options ? { authenticator: credsAuthenticator(new TextEncoder().encode(options.creds)) } : { user: options.user, pass: options.password };
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      return await connect({
        ...proof,
        servers: options.servers,
        name: options.name,
        inboxPrefix: subjects.inbox(options.user),
        // Each request would otherwise build an Error with a stack: half of its cost.
        noAsyncTraces: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
        reconnectJitter: 50,
        // A server that has just come back may be slow to check a password; that is no reason to give up for ever.
        ignoreAuthErrorAbort: true,
        timeout: Math.min(3_000, timeoutMs),
        // A server that hangs is noticed after 15 s.
        pingInterval: 5_000,
        maxPingOut: 2,
      });
    } catch (error) {
      const refused = error instanceof Error && error.name === "AuthorizationError";
      if (refused || performance.now() > deadline) {
        throw new Error(`cannot connect to NATS at ${String(options.servers)} as ${options.user}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
      if (!told) options.logger.warn({ servers: options.servers, err: error }, "NATS cannot be reached; trying again");
      told = true;
      await sleep(100, undefined, { signal: options.signal }).catch(() => {});
    }
  }
}

/** A server that is starting answers once its JetStream is ready. */
async function checkApiLevel(connection: NatsConnection, deadline: number, signal?: AbortSignal): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      const account = await jetStreamRequest<AccountInfo>(connection, "INFO", undefined, { timeoutMs: 1_000 });
      const level = account.api.level ?? 0;
      if (level >= oldestApiLevel) return;
      const version = connection.info?.version ?? "unknown";
      throw new Error(
        `nats-server 2.14.4 or newer is needed: ${connection.getServer()} is version ${version} (JetStream API level ${level}, ${oldestApiLevel} is needed)`,
      );
    } catch (error) {
      if (!(error instanceof JetStreamAway)) throw error;
      if (performance.now() > deadline) throw new Error(`JetStream does not answer at ${connection.getServer()}: ${error.message}`, { cause: error });
      await sleep(50);
    }
  }
}

class Link implements NatsLink {
  readonly connection: NatsConnection;
  readonly #options: ConnectNatsOptions;
  readonly #listeners = new Set<(event: LinkEvent) => void>();
  #up = true;

  constructor(connection: NatsConnection, options: ConnectNatsOptions) {
    this.connection = connection;
    this.#options = options;
    void this.#follow();
  }

  get up(): boolean {
    return this.#up;
  }

  inbox(): string {
    return createInbox(subjects.inbox(this.#options.user));
  }

  watch(listener: (event: LinkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  async #follow(): Promise<void> {
    const { logger, name } = this.#options;
    for await (const status of this.connection.status()) {
      if (status.type === "disconnect" && this.#up) {
        logger.warn({ connection: name, server: status.server }, "connection to NATS lost");
        this.#tell("down");
      } else if (status.type === "reconnect" && !this.#up) {
        logger.info({ connection: name, server: status.server }, "connection to NATS is back");
        this.#tell("up");
        void this.#checkAgain();
      } else if (status.type === "error") {
        logger.error({ connection: name, err: status.error }, "NATS refused something");
      }
    }
    this.#tell("closed");
  }

  /** The server that answers now may be another one. */
  async #checkAgain(): Promise<void> {
    try {
      await checkApiLevel(this.connection, performance.now() + 60_000);
    } catch (error) {
      if (!this.#up || this.connection.isClosed()) return;
      this.#options.logger.fatal({ connection: this.#options.name, err: error }, "closing the connection to NATS");
      await this.close();
    }
  }

  #tell(event: LinkEvent): void {
    this.#up = event === "up";
    for (const listener of this.#listeners) listener(event);
  }
}
