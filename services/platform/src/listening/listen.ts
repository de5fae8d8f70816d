import { once } from "node:events";
import type net from "node:net";
import { formatListenAddress, type ListenAddress, parseListenAddress } from "../config/listen-address.js";

/** The port to listen on belongs to somebody else. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
  /** The port. */
  readonly port: number;

  /** `option` is what chooses another one. */
  constructor(address: ListenAddress, option: string, cause: unknown) {
    super(`port ${address.port} on ${address.host || "this machine"} is taken: stop what listens there, or choose another with ${option}`, { cause });
    this.port = address.port;
  }
}

/**
 * Makes `listener` listen.
 *
 * @param wanted Where: `127.0.0.1:7400`, `[::1]:0`, `:7400`. Port 0 takes any free one.
 * @param option The command line's option for it, for the words of errors.
 * @returns Where it listens, with the port that was taken.
 * @throws PortTaken if something listens there already.
 */
export async function listen(listener: net.Server, wanted: string | ListenAddress, option: string): Promise<ListenAddress> {
  const address = typeof wanted === "string" ? parseListenAddress(wanted) : wanted;
  try {
    listener.listen({ port: address.port, ...(address.host && { host: address.host }) });
    await once(listener, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw new PortTaken(address, option, error);
    throw new Error(`cannot listen on ${formatListenAddress(address)}: ${(error as Error).message}`, { cause: error });
  }
  return { host: address.host, port: (listener.address() as net.AddressInfo).port };
}
