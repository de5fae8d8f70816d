import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { QueueService } from "#gen/runlane/v1/queue_service_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { TaskService } from "#gen/runlane/v1/task_service_pb.js";
import { TokenService } from "#gen/runlane/v1/token_service_pb.js";
import { VersionService } from "#gen/runlane/v1/version_service_pb.js";
import { type ApiClientConfiguration, presentConfiguration, resolveTarget } from "./configuration.js";
import { type ConnectionSource, createConnectionSource } from "./connection-source.js";
import { createGrpcTransport } from "./grpc-transport.js";
import { createPositionTransport, LogPosition } from "./log-position.js";
import { createRetryingTransport } from "./retrying-transport.js";
import { RunWatch } from "./run-watch.js";
import { StoredPayloads } from "./stored-payloads.js";
import { TriggerStream } from "./trigger-stream.js";

/** Everything that speaks to one server, over one connection. Errors are ConnectErrors. */
export interface RunlaneClient {
  /** Generated client of RunService. Idempotent unary calls are repeated while the server is away. */
  readonly runs: Client<typeof RunService>;
  /** Generated client of TaskService. */
  readonly tasks: Client<typeof TaskService>;
  /** Generated client of VersionService. */
  readonly versions: Client<typeof VersionService>;
  /** Generated client of QueueService. */
  readonly queues: Client<typeof QueueService>;
  /** Generated client of TokenService. */
  readonly tokens: Client<typeof TokenService>;
  /** Payloads and outputs of more than 128 KiB. */
  readonly payloads: StoredPayloads;
  /** For generated clients of other services. */
  readonly transport: Transport;
  /** Triggers tasks and delivers results, many in a frame. */
  readonly triggerStream: TriggerStream;
  /** Hears of runs as they change, all on one stream. */
  readonly runWatch: RunWatch;
  /** The connection, for calls that need more than a generated client. */
  readonly connections: ConnectionSource;
  /** Fails everything under way and closes the connection. Not needed for the process to end. */
  close(): void;
}

/** Makes a client. Nothing is sent, and no key is looked up, before the first call. */
export function createRunlaneClient(configuration: ApiClientConfiguration = {}): RunlaneClient {
  const connections = createConnectionSource(() => resolveTarget(configuration));
  const timeoutMs = configuration.requestOptions?.timeoutInMs;
  const retrying = createRetryingTransport(
    createGrpcTransport(() => connections.current()),
    connections,
    { timeoutMs },
  );
  return clientOver(retrying, connections, timeoutMs);
}

/** Makes a client of what carries its calls: `transport` those of generated clients, `connections` the streams of frames. `timeoutMs` is how long to try. */
export function clientOver(unary: Transport, connections: ConnectionSource, timeoutMs: number | undefined): RunlaneClient {
  const logPosition = new LogPosition();
  const transport = createPositionTransport(unary, logPosition);
  const triggerStream = new TriggerStream(connections, { timeoutMs, logPosition });
  const runs = createClient(RunService, transport);
  const runWatch = new RunWatch(runs, { timeoutMs });
  return {
    runs,
    tasks: createClient(TaskService, transport),
    versions: createClient(VersionService, transport),
    queues: createClient(QueueService, transport),
    tokens: createClient(TokenService, transport),
    payloads: new StoredPayloads(transport, { timeoutMs }),
    transport,
    triggerStream,
    runWatch,
    connections,
    close() {
      triggerStream.close();
      runWatch.close();
      connections.close();
    },
  };
}

const key = Symbol.for("runlane.routed-client.v1");

// Behind Symbol.for because several copies of the SDK may be loaded in one process, and all of them must reach the same server.
function route(): { [key]?: RunlaneClient | undefined } {
  return globalThis as { [key]?: RunlaneClient | undefined };
}

/** Makes all public functions of this process use `client`, whatever is configured; undefined: what is configured again. For the testing kit. Returns the one before. */
export function routeTo(client: RunlaneClient | undefined): RunlaneClient | undefined {
  const before = route()[key];
  route()[key] = client;
  return before;
}

let last: { readonly configuration: ApiClientConfiguration; readonly client: RunlaneClient } | undefined;

/** The client that the public functions use: made at the first call, and anew after `configure`. */
export function defaultClient(): RunlaneClient {
  const routed = route()[key];
  if (routed) return routed;
  const configuration = presentConfiguration();
  if (last?.configuration !== configuration) last = { configuration, client: createRunlaneClient(configuration) };
  return last.client;
}

let home: RunlaneClient | undefined;

/** The client of the server that the environment of this process names, whatever `configure` says: the one whose runs a worker's process executes. */
export function homeClient(): RunlaneClient {
  const routed = route()[key];
  if (routed) return routed;
  home ??= createRunlaneClient();
  return home;
}
