import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { OnCleanUp } from "./test-server.js";

/**
 * What a network does.
 *
 * - `open`: it carries everything.
 * - `stalled`: it carries nothing, and says nothing: what is sent waits, and arrives when the network is open again. As TCP does when a cable is pulled.
 * - `refusing`: new connections are refused.
 */
export type NetworkState = "open" | "stalled" | "refusing";

/** A network between a server and those who are told to reach it here. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #state: NetworkState = "open";
  /** Connections that were accepted so far. */
  connections = 0;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#join(client));
  }

  /** Starts one before a server on this machine. `target` is the server's address. */
  static async start(target: string, onCleanUp: OnCleanUp = onTestFinished): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(target));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    onCleanUp(() => {
      proxy.refuse();
      proxy.#server.close();
    });
    return proxy;
  }

  /** Where it listens, for instance "http://127.0.0.1:40124". */
  get address(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  }

  /** Carries everything again, what has waited first. */
  open(): void {
    this.#state = "open";
    for (const socket of this.#sockets) socket.resume();
  }

  /** Carries nothing, and tells nobody. */
  stall(): void {
    this.#state = "stalled";
    for (const socket of this.#sockets) socket.pause();
  }

  /** Breaks all connections. New ones are possible. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Breaks all connections, and takes no new ones. */
  refuse(): void {
    this.#state = "refusing";
    this.cut();
  }

  #join(client: Socket): void {
    if (this.#state === "refusing") {
      client.resetAndDestroy();
      return;
    }
    this.connections += 1;
    const upstream = connect({ host: this.#target.hostname, port: Number(this.#target.port) });
    this.#carry(client, upstream);
    this.#carry(upstream, client);
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => to.write(bytes));
    // The end of a connection cannot pass a stalled network either; it is heard only once the socket flows again.
    from.on("end", () => to.end());
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#state === "stalled") from.pause();
    else from.resume();
  }
}
