import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { nowMs } from "../clock.js";
import { descendantEntries } from "./process-table.js";
import { Program, repository, runlaneCommand } from "./program.js";
import { type Server, writtenPlace } from "./server.js";

const services = ["queue", "scheduler", "executor"] as const;
type Service = (typeof services)[number];

/** What `runlane nats-config` wrote. */
interface NatsConfig {
  readonly config: string;
  readonly credentials: Readonly<Record<Service, string>>;
}

/** What stays the same when everything is started again: programs, files and ports. */
interface Places {
  readonly binary: string;
  readonly config: NatsConfig;
  readonly nats: number;
  readonly scheduler: string;
  readonly executor: string;
}

/** A Runlane in three processes, with a nats-server that they share; set up as docs/deployment.md says. */
export class ThreeProcessServer implements Server {
  readonly programs: readonly Program[];
  readonly #data: string;
  readonly #places: Places;

  private constructor(data: string, programs: readonly Program[], places: Places) {
    this.#data = data;
    this.programs = programs;
    this.#places = places;
  }

  /**
   * Starts everything on the data folder `data`, at free ports or those of an earlier life, and waits until all of it is ready. In another life all start at the same moment, as
   * whoever keeps processes alive would start them.
   */
  static async start(data: string, before?: Places): Promise<ThreeProcessServer> {
    mkdirSync(data, { recursive: true });
    const config = before?.config ?? natsConfig(data);
    const binary = before?.binary ?? execFileSync(process.execPath, [join(repository, "scripts/nats-server.mjs")], { encoding: "utf8" }).trim();
    const programs: Program[] = [];
    try {
      const nats = startNats(binary, config.config, before?.nats);
      programs.push(nats);
      const port = before?.nats ?? (await nats.until("it has written down where it listens", () => portIn(dirname(config.config), nats.pid)));
      const start = (service: Service, listen = "127.0.0.1:0") => {
        const args = ["server", "--services", service, "--nats", `nats://127.0.0.1:${port}`, "--nats-creds", config.credentials[service], "--data", data];
        const program = new Program(`the ${service}`, runlaneCommand, [...args, "--listen", listen, "--http-listen", "127.0.0.1:0"], { cwd: data });
        programs.push(program);
        return program;
      };
      const started = services.map((service) => [service, start(service, service === "queue" ? undefined : hostOf(before?.[service]))] as const);
      const addresses = new Map<Service, string>();
      for (const [service, program] of started) addresses.set(service, await readyAddress(data, service, program));
      const [scheduler, executor] = [addresses.get("scheduler")!, addresses.get("executor")!];
      return new ThreeProcessServer(data, programs, { binary, config, nats: port, scheduler, executor });
    } catch (error) {
      for (const program of programs) await program.stop();
      throw error;
    }
  }

  get address(): string {
    return this.#places.scheduler;
  }

  get env(): Record<string, string> {
    const { scheduler, executor } = this.#places;
    const key = readFileSync(join(this.#data, "secret-key"), "utf8").trim();
    return { RUNLANE_ADDRESS: scheduler, RUNLANE_WORKER_ADDRESS: executor, RUNLANE_SECRET_KEY: key };
  }

  async kill(): Promise<number> {
    const families = this.programs.map((program) => ({ program, children: descendantEntries(program.pid).map((child) => child.pid) }));
    const instant = nowMs();
    await Promise.all(families.map(({ program, children }) => program.kill(children)));
    return instant;
  }

  async restart(): Promise<ThreeProcessServer> {
    return await ThreeProcessServer.start(this.#data, this.#places);
  }
}

function natsConfig(data: string): NatsConfig {
  const command = [runlaneCommand, "nats-config", "--json", "--data", data, "--listen", "127.0.0.1:0"];
  return JSON.parse(execFileSync(process.execPath, command, { encoding: "utf8" }));
}

function startNats(binary: string, config: string, port: number | undefined): Program {
  const args = [binary, "-c", config, ...(port === undefined ? [] : ["-p", String(port)])];
  return new Program("nats-server", join(repository, "bench/dist/stage/kept-main.js"), args, { cwd: dirname(config) });
}

/** nats-server writes its port into a file that is named after its process. */
function portIn(folder: string, parent: number): number | undefined {
  const own = new Set(descendantEntries(parent).map((child) => `nats-server_${child.pid}.ports`));
  const file = readdirSync(folder).find((name) => own.has(name));
  if (file === undefined) return undefined;
  const { nats } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { nats: string[] };
  return Number(new URL(nats[0]!).port);
}

async function readyAddress(data: string, service: Service, program: Program): Promise<string> {
  const file = service === "scheduler" ? "server.json" : `server-${service}.json`;
  const place = await program.until("it has written down where it listens", () => writtenPlace(data, program.pid, file));
  for (const deadline = performance.now() + 30_000; ; ) {
    const { status } = await fetch(`${place.httpAddress}/readyz`);
    if (status === 200) return place.address;
    if (performance.now() > deadline) throw new Error(`the ${service} is not ready within 30 s${program.lastWords()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function hostOf(address: string | undefined): string | undefined {
  return address === undefined ? undefined : new URL(address).host;
}
