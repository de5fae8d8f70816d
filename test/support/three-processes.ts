import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runlane } from "./command-line.js";
import { NatsServer } from "./nats-server.js";
import { type ServiceName, ServiceProcess } from "./service-process.js";
import { temporaryFolder } from "./temporary-folder.js";
import type { OnCleanUp } from "./test-server.js";

const names: readonly ServiceName[] = ["queue", "scheduler", "executor"];

/** Settings of an installation in three processes. */
export interface ThreeProcessesOptions {
  /** Data folder. Default: a new one, removed afterwards. */
  data?: string | undefined;
  /** Added to the environment of each process. */
  env?: Record<string, string | undefined> | undefined;
  onCleanUp: OnCleanUp;
}

/** Scheduler, queue and executor, each in a process of its own, on a nats-server that they share; set up as docs/deployment.md says. */
export class ThreeProcesses {
  readonly data: string;
  readonly #options: ThreeProcessesOptions;
  readonly #services = new Map<ServiceName, ServiceProcess>();
  readonly #config: { config: string; credentials: Record<ServiceName, string> };
  #nats: NatsServer;

  private constructor(options: ThreeProcessesOptions, data: string, config: { config: string; credentials: Record<ServiceName, string> }, nats: NatsServer) {
    this.#options = options;
    this.data = data;
    this.#config = config;
    this.#nats = nats;
  }

  /** Starts everything, and waits until all of it is ready. */
  static async start(options: ThreeProcessesOptions): Promise<ThreeProcesses> {
    const data = options.data ?? temporaryFolder(options.onCleanUp);
    const { code, stdout, stderr } = await runlane(["nats-config", "--json", "--data", data, "--listen", "127.0.0.1:0"]);
    if (code !== 0) throw new Error(`runlane nats-config ended with ${code}: ${stderr}`);
    const config = JSON.parse(stdout);
    const three = new ThreeProcesses(options, data, config, await NatsServer.start(config.config, options.onCleanUp));
    const started = await Promise.all(names.map((service) => three.replica(service, data)));
    for (const process of started) three.#services.set(process.service, process);
    await Promise.all(started.map((process) => process.ready()));
    return three;
  }

  /** The process of a service. */
  service(name: ServiceName): ServiceProcess {
    const found = this.#services.get(name);
    if (!found) throw new Error(`the ${name} was not started`);
    return found;
  }

  get nats(): NatsServer {
    return this.#nats;
  }

  /** Starts another process of a service, on a data folder of its own unless told otherwise. */
  replica(service: ServiceName, data = temporaryFolder(this.#options.onCleanUp)): Promise<ServiceProcess> {
    const { onCleanUp } = this.#options;
    // Wherever its data folder is, there is one key for all.
    const env = { ...(service !== "queue" && { RUNLANE_SECRET_KEY: readFileSync(this.secretKeyFile, "utf8").trim() }), ...this.#options.env };
    return ServiceProcess.start({ service, nats: this.#nats, credentials: this.#config.credentials[service], data, env, onCleanUp });
  }

  /** SIGKILLs the process of a service, and starts it again at once, as whoever watches over processes does. */
  async killAndRestart(name: ServiceName): Promise<void> {
    const before = this.service(name);
    await before.program.kill();
    this.#services.set(name, await before.again());
  }

  /** Stops the process of a service in order, and starts it again. Its exit code, and how long it took to stop, in milliseconds. */
  async restart(name: ServiceName): Promise<{ code: number | null; tookMs: number }> {
    const before = this.service(name);
    const since = performance.now();
    const code = await before.program.stop();
    const tookMs = Math.round(performance.now() - since);
    this.#services.set(name, await before.again());
    return { code, tookMs };
  }

  /** SIGKILLs nats-server, and starts it again on the same port. */
  async killNats(): Promise<void> {
    await this.#nats.program.kill();
    await this.startNatsAgain();
  }

  /** Starts nats-server again, after it was killed. */
  async startNatsAgain(): Promise<void> {
    this.#nats = await NatsServer.start(this.#config.config, this.#options.onCleanUp, this.#nats.port);
  }

  /** Where the secret key is. */
  get secretKeyFile(): string {
    return join(this.data, "secret-key");
  }
}
