import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NatsServer } from "./nats-server.js";
import { Program, type ProgramOptions, runlaneCommand } from "./program.js";
import type { OnCleanUp } from "./test-server.js";

/** A service that runs in a process of its own. */
export type ServiceName = "scheduler" | "queue" | "executor";

/** Settings of a process with one service. */
export interface ServiceProcessOptions {
  service: ServiceName;
  nats: NatsServer;
  /** File of credentials. */
  credentials: string;
  /** Data folder; processes of one installation may share it, replicas of one service may not. */
  data: string;
  /** Where to listen for gRPC. Default: a free port of 127.0.0.1. */
  listen?: string;
  env?: ProgramOptions["env"];
  onCleanUp: OnCleanUp;
}

/** What a process writes down about itself. */
interface Place {
  address: string;
  httpAddress: string;
  pid: number;
}

/** A process of `runlane server --services <one>`. */
export class ServiceProcess {
  readonly service: ServiceName;
  readonly program: Program;
  /** Where it listens for gRPC, for instance "http://127.0.0.1:40123"; the queue does not. */
  readonly address: string;
  readonly httpAddress: string;
  readonly #options: ServiceProcessOptions;

  private constructor(options: ServiceProcessOptions, program: Program, place: Place) {
    this.service = options.service;
    this.program = program;
    this.address = place.address;
    this.httpAddress = place.httpAddress;
    this.#options = options;
  }

  /** Starts one and waits until it has written down where it listens; whether it can do its work is {@link ready}. */
  static async start(options: ServiceProcessOptions): Promise<ServiceProcess> {
    const { service, nats, credentials, data, listen = "127.0.0.1:0", onCleanUp } = options;
    const args = ["server", "--services", service, "--nats", nats.url, "--nats-creds", credentials, "--data", data, "--listen", listen];
    const program = new Program(runlaneCommand, [...args, "--http-listen", "127.0.0.1:0"], { cwd: data, env: options.env });
    onCleanUp(async () => void (await program.stop()));
    const file = join(data, service === "scheduler" ? "server.json" : `server-${service}.json`);
    const written = (): Place | false => {
      const place: Place = JSON.parse(readFileSync(file, "utf8"));
      return place.pid === program.pid && place;
    };
    return new ServiceProcess(options, program, await program.until(`the ${service} has written down where it listens`, written));
  }

  /** What `/readyz` says: 200, or 503 and why. */
  async readiness(): Promise<{ status: number; reasons: string }> {
    const response = await fetch(`${this.httpAddress}/readyz`);
    return { status: response.status, reasons: await response.text() };
  }

  /** Waits until it is ready. */
  async ready(): Promise<void> {
    await this.program.until(`the ${this.service} is ready`, async () => (await this.readiness()).status === 200);
  }

  /** Starts it again, on the same data folder and address. Its process must have ended. */
  async again(): Promise<ServiceProcess> {
    const { service } = this;
    return await ServiceProcess.start({ ...this.#options, ...(service !== "queue" && { listen: new URL(this.address).host }) });
  }
}
