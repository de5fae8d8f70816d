/** Where to listen. */
export interface ListenAddress {
  /** Name or address of an interface; empty for all of them. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/**
 * Parses `127.0.0.1:7400`, `localhost:7400`, `[::1]:0`, `:7400` (all interfaces) or `7400` (127.0.0.1).
 *
 * @throws Error that names the text, if it is none of these.
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]*)):)?(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw new Error(`"${text}" is no address to listen on: write host:port, for instance 127.0.0.1:7400, [::1]:7400 or :7400`);
  const host = match[1] ?? match[2];
  return { host: host ?? "127.0.0.1", port };
}

/** Writes an address as `host:port`, for people. */
export function formatListenAddress(address: ListenAddress): string {
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}

/** The address for clients on this machine, `http://host:port`, or `https://…` with TLS; all interfaces are reached by the loopback one. */
export function localUrl(address: ListenAddress, secure = false): string {
  const host = address.host === "" || address.host === "0.0.0.0" || address.host === "::" ? "127.0.0.1" : address.host;
  return `${secure ? "https" : "http"}://${formatListenAddress({ host, port: address.port })}`;
}
