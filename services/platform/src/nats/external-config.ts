import { chmod, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { authorizationConfig, jetStreamConfig } from "./server-config.js";
import { type NatsUser, natsCredentials, natsUsers, writePrivately } from "./users.js";

/** What to write for a nats-server that Runlane does not start itself. */
export interface ExternalNatsOptions {
  /** Data folder, absolute. The users' passwords are minted in it once, and are the same every time. */
  readonly dataFolder: string;
  /** Folder for the files. Default: `nats-external` in the data folder. */
  readonly out?: string | undefined;
  /** Where that nats-server listens, as NATS writes it: `host:port`. Port -1 takes any free one, and writes down which. */
  readonly listen: string;
  /** Where it stores, as it sees the path itself. Default: `jetstream` in `out`. */
  readonly storeFolder?: string | undefined;
  /** Where it answers `/healthz`, as NATS writes it: `host:port`. Default: nowhere. */
  readonly monitor?: string | undefined;
}

/** What was written. */
export interface ExternalNatsFiles {
  /** Configuration of nats-server: `nats-server -c <config>`. */
  readonly config: string;
  /** For each service the file for its `--nats-creds`. */
  readonly credentials: Readonly<Record<NatsUser, string>>;
}

/**
 * Writes the configuration of a nats-server that services in several processes share, and a file of credentials for each service. Each may do what it needs and no more: only the queue
 * may write to logs. All files are their owner's alone (0600).
 */
export async function writeExternalNats(options: ExternalNatsOptions): Promise<ExternalNatsFiles> {
  const out = options.out ?? join(options.dataFolder, "nats-external");
  const minted = join(options.dataFolder, "nats");
  for (const folder of [minted, out]) await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(minted, 0o700);
  const credentials = await natsCredentials(minted);
  const config = join(out, "nats-server.conf");
  const free = options.listen.endsWith(":-1");
  const monitor = options.monitor === undefined ? "" : `http: ${JSON.stringify(options.monitor)}\n`;
  await writePrivately(
    config,
    `# Written by runlane nats-config. Keep it secret: it holds the passwords of the services.
server_name: "runlane"
listen: ${JSON.stringify(options.listen)}
${free ? `ports_file_dir: ${JSON.stringify(resolve(out))}\n` : ""}${monitor}# What Runlane acknowledges must be on the disk: docs/durability.md says what another value would cost.
${jetStreamConfig(options.storeFolder ?? join(resolve(out), "jetstream"), "always")}
# For TLS: tls { cert_file: "…", key_file: "…" }, and --nats tls://host:port.
${authorizationConfig(credentials)}
`,
  );
  const files = natsUsers.map((user) => [user, join(out, `${user}.json`)] as const);
  for (const [user, path] of files) await writePrivately(path, `${JSON.stringify(credentials[user])}\n`);
  return { config, credentials: Object.fromEntries(files) as Record<NatsUser, string> };
}
