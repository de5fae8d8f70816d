import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Program, type ProgramOptions, runlaneCommand } from "./program.js";
import { temporaryFolder } from "./temporary-folder.js";

/** Registers something to be done when the owner of a server or worker has finished: vitest's onTestFinished, or afterAll. */
export type OnCleanUp = (cleanUp: () => Promise<void> | void) => void;

/** Settings of a server. */
export interface TestServerOptions {
  /** Data folder. Default: a new one, removed afterwards. */
  data?: string;
  /** Where to listen. Default: a free port of 127.0.0.1. */
  listen?: string;
  /** More arguments for the command. */
  args?: string[];
  /** Added to its environment. */
  env?: ProgramOptions["env"];
  /** How long it may take until it serves, in milliseconds. Default 10,000. */
  within?: number;
  /** When to stop it. Default: when the test has finished. */
  onCleanUp?: OnCleanUp;
}

/** A whole Runlane, as `runlane server` starts it: all services in one process, and a nats-server. */
export class TestServer {
  readonly program: Program;
  /** The data folder. */
  readonly data: string;
  /** Where it listens, for instance "http://127.0.0.1:40123". */
  readonly address: string;
  /** The key that it minted or adopted. */
  readonly secretKey: string;

  private constructor(program: Program, data: string, address: string, secretKey: string) {
    this.program = program;
    this.data = data;
    this.address = address;
    this.secretKey = secretKey;
  }

  /** Starts a server and waits until it serves. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const onCleanUp = options.onCleanUp ?? onTestFinished;
    const data = options.data ?? temporaryFolder(onCleanUp);
    const args = ["server", "--data", data, "--listen", options.listen ?? "127.0.0.1:0", ...(options.args ?? [])];
    const program = new Program(runlaneCommand, args, { cwd: data, env: options.env });
    onCleanUp(async () => void (await program.stop()));
    const writtenAddress = () => {
      const written = JSON.parse(readFileSync(join(data, "server.json"), "utf8"));
      return written.pid === program.pid && written.address;
    };
    const address = await program.until("the server has written down where it listens", writtenAddress, options.within);
    return new TestServer(program, data, address, readFileSync(join(data, "secret-key"), "utf8").trim());
  }

  /** What a client or worker of this server needs in its environment. */
  get env(): { RUNLANE_ADDRESS: string; RUNLANE_SECRET_KEY: string } {
    return { RUNLANE_ADDRESS: this.address, RUNLANE_SECRET_KEY: this.secretKey };
  }
}
