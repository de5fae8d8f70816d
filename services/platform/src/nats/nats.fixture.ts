import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Logger, pino } from "pino";
import { connectNats, type NatsLink } from "./connection.js";
import { type EmbeddedNats, startEmbeddedNats } from "./embedded-server.js";
import { jetStreamRequest } from "./jetstream-api.js";
import type { NatsSync } from "./server-config.js";
import type { NatsUser } from "./users.js";

/** A nats-server for one test file, on a folder of its own, and links to it. */
export interface TestNats {
  readonly nats: EmbeddedNats;
  readonly dataDir: string;
  /** Connects as a user (default `queue`), directly or through another address; closed with the fixture. */
  connect(user?: NatsUser, servers?: string): Promise<NatsLink>;
  /** Closes every link, stops nats-server and removes the folder. */
  close(): Promise<void>;
}

/** A logger that says nothing. */
export const silent: Logger = pino({ level: process.env.RUNLANE_TEST_LOG ?? "silent" });

let binary: Promise<string> | undefined;

/** Path of a nats-server, obtained if need be. */
export function natsServerBinary(): Promise<string> {
  binary ??= (async () => {
    const script = fileURLToPath(new URL("../../../../scripts/nats-server.mjs", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script]);
    return stdout.trim();
  })();
  return binary;
}

/** Starts a nats-server on a new folder. Default `lazy`: tests kill processes, not machines. */
export async function startTestNats(sync: NatsSync = "lazy", storeLimit?: number): Promise<TestNats> {
  const dataDir = await mkdtemp(join(tmpdir(), "runlane-nats-"));
  const nats = await startEmbeddedNats({ binary: await natsServerBinary(), dataDir, sync, storeLimit, logger: silent });
  const links: NatsLink[] = [];
  return {
    nats,
    dataDir,
    async connect(user = "queue", servers = nats.url) {
      const link = await connectNats({ servers, ...nats.credentials[user], name: "test", logger: silent });
      links.push(link);
      return link;
    },
    async close() {
      await Promise.all(links.map((link) => link.close()));
      await nats.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Takes all the room that a nats-server with a store limit has; resolves to what gives it back. */
export async function fillStore(link: NatsLink): Promise<() => Promise<void>> {
  const name = "FILLER";
  const subject = "_INBOX.filler";
  await jetStreamRequest(link.connection, `STREAM.CREATE.${name}`, { name, subjects: [subject], storage: "file" });
  for (let size = 64 * 1024; size > 8; ) {
    const { error } = (await link.connection.request(subject, new Uint8Array(size), { timeout: 5_000 })).json<{ error?: object }>();
    if (error) size >>= 1;
  }
  return async () => {
    await jetStreamRequest(link.connection, `STREAM.PURGE.${name}`);
  };
}
