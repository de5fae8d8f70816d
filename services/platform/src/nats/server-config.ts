import { join } from "node:path";
import { type NatsCredentialSet, type NatsUser, natsPermissions, natsUsers } from "./users.js";

/**
 * When nats-server brings records to the disk.
 *
 * `always`: before it acknowledges them; an acknowledged record survives a power failure. `lazy`: every two minutes, NATS's own default; it survives the death
 * of any process, and a failure of power or kernel loses up to two minutes.
 */
export type NatsSync = "always" | "lazy";

/** Files of an embedded nats-server, all of them in `<data folder>/nats`. */
export interface NatsFiles {
  /** The folder itself. */
  readonly folder: string;
  /** Configuration; its path on a command line tells this folder's nats-server from any other. */
  readonly config: string;
  /** Holds the process id. */
  readonly pid: string;
  /** Log of the server, 8 MB and one older file at most. */
  readonly log: string;
  /** What the process wrote before it had a log, or when it crashed. */
  readonly output: string;
  /** JetStream's store. */
  readonly store: string;
  /** Says which port a process has. */
  ports(pid: number): string;
}

/** Where the files are. */
export function natsFiles(dataDir: string): NatsFiles {
  const folder = join(dataDir, "nats");
  return {
    folder,
    config: join(folder, "nats-server.conf"),
    pid: join(folder, "nats-server.pid"),
    log: join(folder, "nats-server.log"),
    output: join(folder, "nats-server.out"),
    store: join(folder, "jetstream"),
    ports: (pid) => join(folder, `nats-server_${pid}.ports`),
  };
}

// NATS reads quoted strings as JSON does, and replaces no variables in them.
const quote = (text: string) => JSON.stringify(text);
const list = (items: readonly string[]) => `[${items.map(quote).join(", ")}]`;

/** The configuration of an embedded nats-server. The port is not in it: a server that is started again gets its old one by a flag. */
export function natsServerConfig(files: NatsFiles, sync: NatsSync, credentials: NatsCredentialSet, storeLimit?: number): string {
  return `# Written by Runlane at every start; changes are lost.
server_name: "runlane"
listen: "127.0.0.1:-1"
pid_file: ${quote(files.pid)}
ports_file_dir: ${quote(files.folder)}
log_file: ${quote(files.log)}
logfile_size_limit: 8MB
logfile_max_num: 2
${jetStreamConfig(files.store, sync, storeLimit)}
${authorizationConfig(credentials)}
`;
}

/** The part of a configuration that says where records are stored, and when they are brought to the disk. */
export function jetStreamConfig(storeFolder: string, sync: NatsSync, storeLimit?: number): string {
  return `jetstream {
  store_dir: ${quote(storeFolder)}
  sync_interval: ${sync === "always" ? "always" : quote("2m")}${storeLimit === undefined ? "" : `\n  max_file_store: ${storeLimit}`}
}`;
}

/** The part of a configuration that lets the services in, each with its own rights, and nobody else. */
export function authorizationConfig(credentials: NatsCredentialSet): string {
  const user = (name: NatsUser) => {
    const { publish, subscribe } = natsPermissions[name];
    const permissions = `{ publish: { allow: ${list(publish)} }, subscribe: { allow: ${list(subscribe)} } }`;
    return `    { user: ${quote(name)}, password: ${quote(credentials[name].password)}, permissions: ${permissions} }`;
  };
  return `authorization {
  users: [
${natsUsers.map(user).join("\n")}
  ]
}`;
}
