import { createGrpcConnection, type GrpcConnection } from "./grpc-connection.js";

/** Which server to speak to, and with which key. */
export interface ServerTarget {
  /** `http(s)://host[:port]`. */
  readonly address: string;
  readonly secretKey: string | undefined;
}

/** Hands out the present connection to the server, and replaces it when it fails. */
export interface ConnectionSource {
  /** The present connection, made when first asked for. Throws what looking up the target throws. */
  current(): GrpcConnection;
  /**
   * Replaces `failed`, if it is still the present connection: a server that restarted may have another port, another key, or be another server. True if the target has
   * changed since `failed` was made.
   */
  renew(failed: GrpcConnection): boolean;
  /** Closes the present connection. */
  close(): void;
}

/** Makes a source; `resolve` looks up the target, and is asked again for each new connection. */
export function createConnectionSource(resolve: () => ServerTarget): ConnectionSource {
  let connection: GrpcConnection | undefined;
  const connect = (target: ServerTarget) => createGrpcConnection(target.address, target.secretKey);
  return {
    current() {
      connection ??= connect(resolve());
      return connection;
    },
    renew(failed) {
      if (connection === failed) {
        failed.close();
        connection = connect(orElse(resolve, { address: failed.address.text, secretKey: failed.secretKey }));
      }
      return connection?.address.text !== failed.address.text || connection.secretKey !== failed.secretKey;
    },
    close() {
      connection?.close();
      connection = undefined;
    },
  };
}

// A data folder that has gone, say, is no reason to forget where the server was.
function orElse(resolve: () => ServerTarget, last: ServerTarget): ServerTarget {
  try {
    return resolve();
  } catch {
    return last;
  }
}
