import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Program, repository } from "../stage/program.js";
import { concurrency, Stage } from "../stage/stage.js";

/** When Redis writes its append-only file to disk. `always`: before it answers. `everysec`: once a second; power loss may lose what was acknowledged. */
export type AppendFsync = "always" | "everysec";

const patienceMs = 10_000;

/** A stage with a redis-server of its own, and BullMQ. */
export class BullmqStage extends Stage {
  readonly #port: number;
  readonly #redis: Program;
  #worker: Program | undefined;

  private constructor(port: number, appendFsync: AppendFsync) {
    super();
    this.#port = port;
    const data = join(this.folder, "redis");
    mkdirSync(data);
    const settings = { port, bind: "127.0.0.1", dir: data, appendonly: "yes", appendfsync: appendFsync, save: "", "maxmemory-policy": "noeviction" };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#redis = new Program("redis", join(repository, "bench/dist/stage/kept-main.js"), ["redis-server", ...flags], { cwd: this.folder });
    this.watch(this.#redis);
  }

  /** Makes a folder and starts a redis-server on it. */
  static async set(appendFsync: AppendFsync): Promise<BullmqStage> {
    const stage = new BullmqStage(await freePort(), appendFsync);
    try {
      await Promise.race([stage.#answers(), stage.mishap]);
      return stage;
    } catch (error) {
      await stage.clear();
      throw error;
    }
  }

  startWorker(): { readonly program: Program } {
    const script = join(repository, "bench/dist/peers/bullmq-worker.js");
    const program = new Program("the worker", script, [String(concurrency)], { cwd: this.folder, env: this.clientEnvironment });
    this.#worker = program;
    this.watch(program);
    return { program };
  }

  protected get clientEnvironment(): Record<string, string> {
    return { BENCH_REDIS_PORT: String(this.#port) };
  }

  protected get servers(): readonly Program[] {
    return [this.#redis];
  }

  protected get worker(): Program | undefined {
    return this.#worker;
  }

  async #answers(): Promise<void> {
    const redis = new Redis({ port: this.#port, retryStrategy: () => 20, maxRetriesPerRequest: null });
    // It is refused until redis-server listens.
    redis.on("error", () => {});
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, fail) => {
      timer = setTimeout(() => fail(new Error("redis-server does not answer")), patienceMs);
    });
    try {
      await Promise.race([redis.ping(), late]);
    } finally {
      clearTimeout(timer);
      redis.disconnect();
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
