import type { DescMethod } from "@bufbuild/protobuf";
import { Client, type ClientOptions, connectivityState, credentials, Metadata } from "@grpc/grpc-js";
import { parseServerAddress, type ServerAddress } from "./server-address.js";

/** Name and version that this SDK gives to the server. */
export const userAgent = "runlane-sdk-ts/0.1.0";

/** Whatever the constructor of Headers takes. */
export type HeaderInit = ConstructorParameters<typeof Headers>[0];

/** One HTTP/2 connection to a server, opened by the first call. It does not keep the process alive while no call is under way. */
export interface GrpcConnection {
  readonly address: ServerAddress;
  /** Undefined for a connection without a key. */
  readonly secretKey: string | undefined;
  /** The untyped client of @grpc/grpc-js that makes the calls. */
  readonly client: Client;
  /** Metadata of a new call: the key, and `header`. */
  metadata(header?: HeaderInit): Metadata;
  /** Whether the connection stands at present. */
  isReady(): boolean;
  /** Closes the connection. Calls under way may still end; new ones fail with UNAVAILABLE. */
  close(): void;
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

/** Makes a connection. `address` is `http(s)://host[:port]`, https for TLS with the certificates that Node trusts, or those in GRPC_DEFAULT_SSL_ROOTS_FILE_PATH. Nothing is sent before the first call. */
export function createGrpcConnection(address: string, secretKey: string | undefined): GrpcConnection {
  const parsed = parseServerAddress(address);
  const client = new Client(parsed.authority, parsed.secure ? credentials.createSsl() : credentials.createInsecure(), {
    ...channelOptions,
    // A proxy of the environment can not reach this machine's own loopback.
    ...(parsed.loopback ? { "grpc.enable_http_proxy": 0 } : {}),
  });
  return {
    address: parsed,
    secretKey,
    client,
    metadata(header) {
      const metadata = new Metadata();
      if (secretKey !== undefined) metadata.set("authorization", `Bearer ${secretKey}`);
      for (const [key, value] of new Headers(header)) metadata.set(key, value);
      return metadata;
    },
    isReady: () => client.getChannel().getConnectivityState(false) === connectivityState.READY,
    close: () => client.close(),
  };
}

/** A method's path on the wire. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
