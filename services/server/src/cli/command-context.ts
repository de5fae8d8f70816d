import type { Client } from "@connectrpc/connect";
import type { QueueService } from "@runlane/sdk/gen/runlane/v1/queue_service_pb.js";
import type { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import type { TaskService } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import type { TokenService } from "@runlane/sdk/gen/runlane/v1/token_service_pb.js";
import type { VersionService } from "@runlane/sdk/gen/runlane/v1/version_service_pb.js";
import type { StoredPayloads } from "@runlane/sdk/internal";
import type { Terminal } from "./terminal.js";

/** What commands work with; tests put doubles in. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Content of standard input, for `-`. */
  readStdin(): Promise<string>;
  /** Connects to the server: the address given, else the one that the environment or a data folder names. */
  connect(address: string | undefined): Promise<ServerConnection>;
}

/** A connection to a server. */
export interface ServerConnection {
  readonly runs: Client<typeof RunService>;
  readonly tasks: Client<typeof TaskService>;
  readonly versions: Client<typeof VersionService>;
  readonly queues: Client<typeof QueueService>;
  readonly tokens: Client<typeof TokenService>;
  /** Payloads and outputs of more than 128 KiB. */
  readonly payloads: StoredPayloads;
  close(): void;
}

/** Options that commands which speak to a server share. */
export interface ClientOptions {
  /** Results and errors as JSON. */
  json?: boolean;
  address?: string;
}
