import type { Logger, NatsCredentials, NatsSync, NatsUser, TlsIdentity } from "@runlane/platform";
import type { SnapshotRules } from "@runlane/queue";

/** A part of Runlane that may run in a process of its own. */
export type ServiceName = NatsUser;

/** A nats-server that somebody else runs. */
export interface ExternalNats {
  /** Addresses, `nats://host:port` or `tls://host:port`. */
  readonly servers: string[];
  /** What each service of this process proves itself with. */
  readonly credentials: Partial<Readonly<Record<ServiceName, NatsCredentials>>>;
  /** How many servers of a cluster keep each record. Default 1. */
  readonly replicas?: 1 | 3 | 5 | undefined;
}

/** How any process of Runlane is started. */
export interface ServerOptions {
  /** Absolute path of the data folder. Made if it is not there. */
  dataFolder: string;
  /** Where to listen for gRPC: `host:port`; port 0 takes any free one. A process with the queue alone does not. */
  listen: string;
  /** Where to listen for HTTP: `host:port`; port 0 takes any free one. Default: on the next port after that of `listen`; any free one if that takes any. */
  httpListen?: string | undefined;
  /** The certificate that both listeners prove their name with. Default: cleartext. */
  tls?: TlsIdentity | undefined;
  /** Origins of web pages that may call by HTTP, besides those of this machine; "*" is every one. Default none. */
  corsOrigins?: readonly string[] | undefined;
  /** The address by which the world reaches HTTP, as `https://example.com`: callback URLs of tokens begin with it. Default: the address of HTTP on this machine. */
  publicUrl?: string | undefined;
  logger: Logger;
  /** For the secret key. Default: the process's. */
  env?: NodeJS.ProcessEnv;
  /** Gives the start up. */
  signal?: AbortSignal;
  /** How long a run that is bound to a version of the code waits for a worker of it before it starts on the current one, in milliseconds. Default 5 minutes. */
  versionPatienceMs?: number | undefined;
  /** When a snapshot of the partition is due, and how long its log is kept beyond what is needed. Default: `defaultSnapshotRules` of @runlane/queue. */
  snapshotRules?: Partial<SnapshotRules> | undefined;
  /** How long calls under way may take when the server stops, in milliseconds; streams, which do not end by themselves, have half a second. Default 5,000, as long as a call may take. */
  graceMs?: number;
}

/** How a server in one process is started. */
export interface WholeServerOptions extends ServerOptions {
  /** When records are brought to the disk. */
  sync: NatsSync;
  /** What the embedded nats-server may store, in bytes. Default: three quarters of the disk's free space. */
  storeLimit?: number | undefined;
  /** Path of the nats-server program. */
  natsServer: string;
}

/** How a process with some of the services is started. */
export interface ServiceProcessOptions extends ServerOptions {
  /** What runs here. */
  services: readonly ServiceName[];
  nats: ExternalNats;
}

/** A server that serves. */
export interface RunningServer {
  /** The address of gRPC for clients on this machine; of HTTP, if this process serves no gRPC. */
  readonly address: string;
  /** The address of HTTP on this machine. */
  readonly httpAddress: string;
  /** Stops everything in order: first it says that it is not ready, then nobody comes in, then what is under way ends, then what it stands on. Idempotent. */
  stop(): Promise<void>;
}
