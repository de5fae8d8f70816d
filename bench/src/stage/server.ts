import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nowMs } from "../clock.js";
import type { Sync } from "../options.js";
import { descendantEntries } from "./process-table.js";
import { Program, runlaneCommand } from "./program.js";

/** A Runlane, in one shape or the other. */
export interface Server {
  /** The programs that it consists of, and with them what they started. */
  readonly programs: readonly Program[];
  /** Where clients find it, for instance "http://127.0.0.1:40123". */
  readonly address: string;
  /** What clients and workers need in their environment. */
  readonly env: Record<string, string>;
  /** SIGKILLs all of it at once, nats-server too. Resolves, when it is gone, to the instant at which it did. */
  kill(): Promise<number>;
  /** Starts it again, on the same folder and address. Resolves when it serves. */
  restart(): Promise<Server>;
}

/** A Runlane, as `runlane server` starts it: all services in one process, and a nats-server. */
export class WholeServer implements Server {
  readonly #program: Program;
  /** Where it listens, for instance "http://127.0.0.1:40123". */
  readonly address: string;
  readonly #data: string;
  readonly #sync: Sync;

  private constructor(program: Program, data: string, sync: Sync, address: string) {
    this.#program = program;
    this.#data = data;
    this.#sync = sync;
    this.address = address;
  }

  /** Starts a server on the data folder `data`, at `listen`, and waits until it serves. */
  static async start(data: string, sync: Sync, listen = "127.0.0.1:0"): Promise<WholeServer> {
    mkdirSync(data, { recursive: true });
    // The port beside a given one may be anybody's.
    const args = ["server", "--data", data, "--listen", listen, "--http-listen", "127.0.0.1:0", "--sync", sync];
    const program = new Program("the server", runlaneCommand, args, { cwd: data });
    try {
      const { address } = await program.until("it has written down where it listens", () => writtenPlace(data, program.pid));
      return new WholeServer(program, data, sync, address);
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  get programs(): readonly Program[] {
    return [this.#program];
  }

  get env(): Record<string, string> {
    return { RUNLANE_ADDRESS: this.address, RUNLANE_SECRET_KEY: readFileSync(join(this.#data, "secret-key"), "utf8").trim() };
  }

  async kill(): Promise<number> {
    const children = descendantEntries(this.#program.pid).map((child) => child.pid);
    const instant = nowMs();
    await this.#program.kill(children);
    return instant;
  }

  async restart(): Promise<WholeServer> {
    return await WholeServer.start(this.#data, this.#sync, new URL(this.address).host);
  }
}

/** What a process tells of itself in the data folder. */
export interface WrittenPlace {
  readonly address: string;
  readonly httpAddress: string;
}

/** Where the process `pid` says that it listens; undefined before it has. */
export function writtenPlace(data: string, pid: number, file = "server.json"): WrittenPlace | undefined {
  try {
    const written: WrittenPlace & { pid: number } = JSON.parse(readFileSync(join(data, file), "utf8"));
    return written.pid === pid ? written : undefined;
  } catch {
    // Not written so far, or half of it.
    return undefined;
  }
}
