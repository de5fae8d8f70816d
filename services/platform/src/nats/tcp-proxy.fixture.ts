import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * A network that fails as a test wants it to: stands between a client and a server, and loses what it is told to lose.
 *
 * - `whole`: everything passes
 * - `noRequests`: what the client sends is lost
 * - `noAnswers`: what the server sends is lost
 * - `closed`: connections are refused
 */
export type NetworkState = "whole" | "noRequests" | "noAnswers" | "closed";

export class TcpProxy {
  state: NetworkState = "whole";
  /** Bytes that it has lost so far. */
  lost = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      if (this.state === "closed") return void client.destroy();
      const upstream = connect(targetPort, "127.0.0.1");
      this.#join(client, upstream, "noRequests");
      this.#join(upstream, client, "noAnswers");
    });
  }

  /** Starts one in front of a server on this machine. */
  static async start(targetUrl: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(Number(new URL(targetUrl).port));
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    return `nats://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.state = "closed";
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(from: Socket, to: Socket, losing: NetworkState): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => {
      if (this.state === losing) this.lost += bytes.length;
      else to.write(bytes);
    });
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
