import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Program, type ProgramOptions, runlaneCommand } from "./program.js";
import { temporaryFolder } from "./temporary-folder.js";
import { ThreeProcesses } from "./three-processes.js";

/** Registers something to be done when the owner of a server or worker has finished: vitest's onTestFinished, or afterAll. */
export type OnCleanUp = (cleanUp: () => Promise<void> | void) => void;

/** How Runlane runs: all services in one process with an embedded nats-server, or each in one of its own, with a nats-server that they share. */
export type Shape = "one" | "three";

/** Both, for tests that run in either. */
export const shapes: readonly Shape[] = ["one", "three"];

/** Settings of a server. */
export interface TestServerOptions {
  /** Default: one. */
  shape?: Shape;
  /** Data folder. Default: a new one, removed afterwards. */
  data?: string;
  /** Where to listen. Default: a free port of 127.0.0.1. In shape three it is always that. */
  listen?: string;
  /** More arguments for the command. In shape three there are none. */
  args?: string[];
  /** Added to its environment. */
  env?: ProgramOptions["env"];
  /** How long it may take until it serves, in milliseconds. Default 30,000. */
  within?: number;
  /** When to stop it. Default: when the test has finished. */
  onCleanUp?: OnCleanUp;
}

/** A whole Runlane, as `runlane server` starts it. */
export class TestServer {
  /** In shape three, that of the scheduler. */
  readonly program: Program;
  /** The processes, in shape three. */
  readonly three: ThreeProcesses | undefined;
  /** The data folder. */
  readonly data: string;
  /** Where it listens, for instance "http://127.0.0.1:40123". */
  readonly address: string;
  /** Where it listens for workers; another address in shape three. */
  readonly workerAddress: string;
  /** Where it serves HTTP; in shape three, the scheduler. */
  readonly httpAddress: string;
  /** The key that it minted or adopted. */
  readonly secretKey: string;

  private constructor(program: Program, data: string, address: string, httpAddress: string, three?: ThreeProcesses) {
    this.program = program;
    this.three = three;
    this.data = data;
    this.address = address;
    this.httpAddress = httpAddress;
    this.workerAddress = three?.service("executor").address ?? address;
    this.secretKey = readFileSync(join(data, "secret-key"), "utf8").trim();
  }

  /** Starts a server and waits until it serves. */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const onCleanUp = options.onCleanUp ?? onTestFinished;
    const data = options.data ?? temporaryFolder(onCleanUp);
    if (options.shape === "three") {
      const three = await ThreeProcesses.start({ data, env: options.env, onCleanUp });
      const scheduler = three.service("scheduler");
      return new TestServer(scheduler.program, data, scheduler.address, scheduler.httpAddress, three);
    }
    // By default HTTP is on the next port, which may be somebody else's.
    const listen = ["--listen", options.listen ?? "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    const args = ["server", "--data", data, ...listen, ...(options.args ?? [])];
    const program = new Program(runlaneCommand, args, { cwd: data, env: options.env });
    onCleanUp(async () => void (await program.stop()));
    const written = (): { address: string; httpAddress: string; pid: number } | false => {
      const place = JSON.parse(readFileSync(join(data, "server.json"), "utf8"));
      return place.pid === program.pid && place;
    };
    const { address, httpAddress } = await program.until("the server has written down where it listens", written, options.within);
    return new TestServer(program, data, address, httpAddress);
  }

  /** What a client or worker of this server needs in its environment. */
  get env(): { RUNLANE_ADDRESS: string; RUNLANE_WORKER_ADDRESS: string; RUNLANE_SECRET_KEY: string } {
    return { RUNLANE_ADDRESS: this.address, RUNLANE_WORKER_ADDRESS: this.workerAddress, RUNLANE_SECRET_KEY: this.secretKey };
  }
}
