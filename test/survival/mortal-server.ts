import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.js";
import { alive, commandLine } from "../support/processes.js";
import { Program, runlaneCommand } from "../support/program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TestServer } from "../support/test-server.js";

/** A time in which a server served, in milliseconds of the Unix epoch. */
export interface UpTime {
  from: number;
  to: number;
}

/** A server that is killed and started again, always on the same data folder and address. */
export class MortalServer {
  #server: TestServer;
  #from = Date.now();
  /** The times in which it served, up to the last kill. */
  readonly upTimes: UpTime[] = [];

  readonly #args: readonly string[];

  private constructor(server: TestServer, args: readonly string[]) {
    this.#server = server;
    this.#args = args;
  }

  /** Starts one on a folder of its own, with more arguments if they are given. */
  static async start(...args: string[]): Promise<MortalServer> {
    return new MortalServer(await TestServer.start({ data: temporaryFolder(), args }), args);
  }

  /** The present life. */
  get server(): TestServer {
    return this.#server;
  }

  /** SIGKILLs server and nats-server at once. Resolves when both are gone. */
  async kill(): Promise<void> {
    const to = Date.now();
    await killWhole(this.#server.program, this.#server.data);
    this.upTimes.push({ from: this.#from, to });
  }

  /** SIGKILLs the server alone: its nats-server lives on, an orphan that the next life finds. */
  async killServerOnly(): Promise<void> {
    const to = Date.now();
    await this.#server.program.kill();
    this.upTimes.push({ from: this.#from, to });
  }

  /** Starts it again, and kills it `milliseconds` later, whatever it has come to by then. */
  async killWhileStarting(milliseconds: number): Promise<void> {
    const { data, address } = this.#server;
    const program = new Program(runlaneCommand, ["server", "--data", data, "--listen", new URL(address).host, "--http-listen", "127.0.0.1:0"], { cwd: data });
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    await killWhole(program, data);
  }

  /** Starts it again, and waits until it serves. */
  async restart(): Promise<void> {
    const { data, address } = this.#server;
    this.#server = await TestServer.start({ data, listen: new URL(address).host, args: [...this.#args], within: 60_000 });
    this.#from = Date.now();
  }
}

/** SIGKILLs a server and the nats-server of its data folder. */
async function killWhole(program: Program, data: string): Promise<void> {
  const before = natsServerOf(data);
  program.signal("SIGKILL");
  end(before);
  await program.ended;
  // One that it had only just started.
  const after = natsServerOf(data);
  end(after);
  await eventually("nats-server is gone", () => [before, after].every((pid) => pid === undefined || !alive(pid)));
}

/** SIGKILLs a process, if there is one and it has not ended by itself meanwhile. */
function end(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Process id of the nats-server that lives on a data folder; undefined if there is none. */
export function natsServerOf(data: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(data, "nats", "nats-server.pid"), "utf8"));
    return pid > 1 && commandLine(pid).includes(data) ? pid : undefined;
  } catch {
    return undefined;
  }
}
