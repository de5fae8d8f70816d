/** Where a server listens, as gRPC wants to know it. */
export interface ServerAddress {
  /** As it was given, for messages. */
  readonly text: string;
  /** `host:port`, an IPv6 host in brackets. */
  readonly authority: string;
  /** TLS or not. */
  readonly secure: boolean;
  /** The host is this machine. */
  readonly loopback: boolean;
}

/** What was given as a server's address is none. */
export class ServerAddressError extends Error {
  override readonly name = "ServerAddressError";
}

/**
 * Reads an address of the form `http(s)://host[:port]`. Without a port it is 80 or 443, as in every URL; a server listens on 7400 by default.
 *
 * @throws ServerAddressError that says what is wrong with it.
 */
export function parseServerAddress(text: string): ServerAddress {
  const match = /^(https?):\/\/(\[[0-9a-f:.%]+\]|[^/:?#@\s]+)(?::(\d{1,5}))?\/?$/i.exec(text.trim());
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (!match || (port !== undefined && (port === 0 || port > 65_535))) {
    throw new ServerAddressError(`"${text}" is not the address of a Runlane server. It should look like http://127.0.0.1:7400 or https://runlane.example.com.`);
  }
  const secure = match[1]!.toLowerCase() === "https";
  const host = match[2]!.toLowerCase();
  return {
    text,
    authority: `${host}:${port ?? (secure ? 443 : 80)}`,
    secure,
    loopback: host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host),
  };
}
