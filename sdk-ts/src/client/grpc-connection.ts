import { readFileSync } from "node:fs";
import type { DescMethod, DescMethodBiDiStreaming } from "@bufbuild/protobuf";
import type { Client, ClientOptions, Metadata } from "@grpc/grpc-js";
import type { FrameListener, FrameStream } from "./frame-stream.js";
import { parseServerAddress, type ServerAddress } from "./server-address.js";

/** Name and version that this SDK gives to the server. */
export const userAgent = "runlane-sdk-ts/0.1.0";

/** Whatever the constructor of Headers takes. */
export type HeaderInit = ConstructorParameters<typeof Headers>[0];

type Grpc = typeof import("@grpc/grpc-js");

let grpc: Grpc | undefined;
let loading: Promise<void> | undefined;

/**
 * Loads @grpc/grpc-js. Undefined once that is done.
 *
 * It is loaded for the first call and not with this module: every task file imports the SDK, and the processes that run or list tasks seldom make a call of their own (measured:
 * a fifth of the time that the SDK takes to load, and 5 MB for each runner).
 */
export function loadGrpc(): Promise<void> | undefined {
  if (grpc) return undefined;
  loading ??= import("@grpc/grpc-js").then((library) => {
    grpc = library;
  });
  return loading;
}

/** One HTTP/2 connection to a server, opened by the first call. It does not keep the process alive while no call is under way. */
export interface GrpcConnection {
  readonly address: ServerAddress;
  /** Undefined for a connection without a key. */
  readonly secretKey: string | undefined;
  /** The untyped client of @grpc/grpc-js that makes the calls. Not before `loadGrpc`; the same goes for `metadata`. */
  readonly client: Client;
  /** Metadata of a new call: the key, and `header`. */
  metadata(header?: HeaderInit): Metadata;
  /** Whether the connection stands at present. */
  isReady(): boolean;
  /** Closes the connection. Calls under way may still end; new ones fail with UNAVAILABLE. */
  close(): void;
  /** Opens streams without gRPC, for a server in this process. Default: they are calls of `client`. */
  readonly openStream?: (method: DescMethodBiDiStreaming, listener: FrameListener) => FrameStream;
}

// Reconnecting is the caller's affair: it knows what must be sent again, and a server that restarts may come back on another port. So every connection has
// a sub-channel of its own (a shared one would hand its backoff of up to two minutes to the next connection), and the library repeats no calls.
const channelOptions: ClientOptions = {
  "grpc.primary_user_agent": userAgent,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.service_config_disable_resolution": 1,
};

/**
 * Makes a connection. `address` is `http(s)://host[:port]`. https is TLS, with the authorities in the file that RUNLANE_TLS_CA names (PEM), else those that gRPC's own
 * GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names, else those that Node trusts, NODE_EXTRA_CA_CERTS included. Nothing is sent before the first call.
 */
export function createGrpcConnection(address: string, secretKey: string | undefined): GrpcConnection {
  const parsed = parseServerAddress(address);
  let client: Client | undefined;
  let closed = false;
  const makeClient = () => {
    const { Client, credentials } = loaded();
    client = new Client(parsed.authority, parsed.secure ? credentials.createSsl(authorities()) : credentials.createInsecure(), {
      ...channelOptions,
      // A proxy of the environment can not reach this machine's own loopback.
      ...(parsed.loopback ? { "grpc.enable_http_proxy": 0 } : {}),
    });
    if (closed) client.close();
    return client;
  };
  return {
    address: parsed,
    secretKey,
    get client() {
      return client ?? makeClient();
    },
    metadata(header) {
      const metadata = new (loaded().Metadata)();
      if (secretKey !== undefined) metadata.set("authorization", `Bearer ${secretKey}`);
      for (const [key, value] of new Headers(header)) metadata.set(key, value);
      return metadata;
    },
    isReady: () => client !== undefined && client.getChannel().getConnectivityState(false) === loaded().connectivityState.READY,
    close() {
      closed = true;
      client?.close();
    },
  };
}

function authorities(): Buffer | null {
  const file = process.env.RUNLANE_TLS_CA;
  return file ? readFileSync(file) : null;
}

/** A method's path on the wire. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function loaded(): Grpc {
  if (grpc === undefined) throw new Error("a call is made before @grpc/grpc-js is loaded");
  return grpc;
}
