import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nowMs } from "../clock.js";
import type { Sync } from "../options.js";
import { descendantEntries, type ProcessEntry } from "./process-table.js";
import { Program, runlaneCommand } from "./program.js";

/** A Runlane, as `runlane server` starts it: all services in one process, and a nats-server. */
export class Server {
  readonly program: Program;
  /** Where it listens, for instance "http://127.0.0.1:40123". */
  readonly address: string;
  readonly #data: string;

  private constructor(program: Program, data: string, address: string) {
    this.program = program;
    this.#data = data;
    this.address = address;
  }

  /** Starts a server on the data folder `data`, at `listen`, and waits until it serves. */
  static async start(data: string, sync: Sync, listen = "127.0.0.1:0"): Promise<Server> {
    mkdirSync(data, { recursive: true });
    const program = new Program("the server", runlaneCommand, ["server", "--data", data, "--listen", listen, "--sync", sync], { cwd: data });
    try {
      const address = await program.until("it has written down where it listens", () => writtenAddress(data, program.pid));
      return new Server(program, data, address);
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  /** What clients and workers need in their environment. */
  get env(): Record<string, string> {
    return { RUNLANE_ADDRESS: this.address, RUNLANE_SECRET_KEY: readFileSync(join(this.#data, "secret-key"), "utf8").trim() };
  }

  /** The processes that the server started: its nats-server. */
  children(): ProcessEntry[] {
    return descendantEntries(this.program.pid);
  }

  /** SIGKILLs the server and its nats-server. Resolves, when they are gone, to the instant at which it did. */
  async kill(): Promise<number> {
    const children = this.children().map((child) => child.pid);
    const instant = nowMs();
    await this.program.kill(children);
    return instant;
  }

  /** Starts it again, on the same folder and address. */
  async restart(sync: Sync): Promise<Server> {
    return await Server.start(this.#data, sync, new URL(this.address).host);
  }
}

function writtenAddress(data: string, pid: number): string | undefined {
  try {
    const written: { pid: number; address: string } = JSON.parse(readFileSync(join(data, "server.json"), "utf8"));
    return written.pid === pid ? written.address : undefined;
  } catch {
    // Not written so far, or half of it.
    return undefined;
  }
}
