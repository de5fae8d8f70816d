import { chmod, mkdir, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type FolderLock, lockFolder } from "./folder-lock.js";
import { endNats, findOrphan, lastWords, type NatsProcess, spawnNats, sweepNatsFiles } from "./nats-process.js";
import { type NatsFiles, type NatsSync, natsFiles, natsServerConfig } from "./server-config.js";
import { type NatsCredentialSet, natsCredentials, writePrivately } from "./users.js";

/** How an embedded nats-server is started. */
export interface EmbeddedNatsOptions {
  /** Path of the program. */
  readonly binary: string;
  /** Data folder of the server; everything of NATS is in its folder `nats`. Made if it is not there. */
  readonly dataDir: string;
  /** When records are brought to the disk. Default `always`. */
  readonly sync?: NatsSync;
  /** What JetStream may store, in bytes. Default: NATS's own, three quarters of the disk's free space when it starts. */
  readonly storeLimit?: number | undefined;
  /** Hears of starts, unexpected ends and stops. */
  readonly logger: Logger;
}

/** A running nats-server. It is started again, on the same port, whenever it ends unexpectedly. */
export interface EmbeddedNats {
  /** Address, `nats://127.0.0.1:<port>`; stays the same for this object's life. */
  readonly url: string;
  /** What the services connect with. */
  readonly credentials: NatsCredentialSet;
  /** Id of the process that runs now; undefined between two. */
  readonly pid: number | undefined;
  /** Resolves when no nats-server will be started any more: after `stop`. */
  readonly exited: Promise<void>;
  /** Ends it in order, after 10 s by force, and gives the data folder free. Idempotent. */
  stop(): Promise<void>;
}

const stopLimitMs = 10_000;
const adoptLimitMs = 1_000;
const restartDelay = { firstMs: 100, mostMs: 5_000, forgottenAfterMs: 10_000 };

/** A nats-server that has been launched. */
export interface LaunchedNats {
  /** Resolves when JetStream answers; rejects if it does not, after everything is ended. */
  readonly running: Promise<EmbeddedNats>;
}

/**
 * Starts nats-server with JetStream on a data folder, listening on a free port of 127.0.0.1, with users and passwords that are minted once. Resolves when
 * JetStream answers.
 *
 * A nats-server that lost its parent to a SIGKILL is adopted if it is the same program with the same configuration and answers; else it is ended first.
 *
 * @throws Error if the program cannot be started, is older than Runlane needs, or if a living process holds the data folder.
 */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
  return await (await launchEmbeddedNats(options)).running;
}

/** As {@link startEmbeddedNats}, but resolves as soon as the process is there: it reads its store while its caller does something else. @throws Error if a living process holds the data folder */
export async function launchEmbeddedNats(options: EmbeddedNatsOptions): Promise<LaunchedNats> {
  const files = natsFiles(resolve(options.dataDir));
  await mkdir(files.folder, { recursive: true, mode: 0o700 });
  await chmod(files.folder, 0o700);
  const lock = await lockFolder(files.folder);
  const unlocked = async (error: unknown): Promise<never> => {
    await lock.release();
    throw error;
  };
  try {
    const credentials = await natsCredentials(files.folder);
    const config = natsServerConfig(files, options.sync ?? "always", credentials, options.storeLimit);
    const nats = new Supervisor(options, files, lock, credentials);
    const life = await nats.launch(config);
    const running = nats.start(life).then(() => nats, unlocked);
    // Whoever launches it may look at it later.
    running.catch(() => {});
    return { running };
  } catch (error) {
    return await unlocked(error);
  }
}

/** Rejects when `promise` takes longer than `limitMs`. */
async function withinLimit<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  return await Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

class Supervisor implements EmbeddedNats {
  readonly credentials: NatsCredentialSet;
  readonly exited: Promise<void>;
  readonly #options: EmbeddedNatsOptions;
  readonly #files: NatsFiles;
  readonly #lock: FolderLock;
  readonly #stopping = new AbortController();
  #life: NatsProcess | undefined;
  #port = 0;
  #stopped: Promise<void> | undefined;
  #announceExit: () => void = () => {};

  constructor(options: EmbeddedNatsOptions, files: NatsFiles, lock: FolderLock, credentials: NatsCredentialSet) {
    this.#options = options;
    this.#files = files;
    this.#lock = lock;
    this.credentials = credentials;
    this.exited = new Promise((resolve) => {
      this.#announceExit = resolve;
    });
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  get pid(): number | undefined {
    return this.#life?.pid;
  }

  async launch(config: string): Promise<NatsProcess> {
    this.#life = (await this.#adopt(config)) ?? (await this.#spawnFirst(config));
    return this.#life;
  }

  async start(life: NatsProcess): Promise<void> {
    const { binary, logger } = this.#options;
    try {
      this.#port = await life.port;
      await this.#answers(stopLimitMs);
    } catch (error) {
      await endNats(life, 1_000);
      await sweepNatsFiles(this.#files);
      throw error;
    }
    logger.info({ pid: life.pid, port: this.#port, sync: this.#options.sync ?? "always", binary }, "nats-server runs");
    void this.#supervise(life);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#life) await endNats(this.#life, stopLimitMs);
    this.#life = undefined;
    await sweepNatsFiles(this.#files);
    await this.#lock.release();
    this.#options.logger.info("nats-server stopped");
    this.#announceExit();
  }

  /** Takes over the nats-server that a killed server left behind, or ends it. */
  async #adopt(config: string): Promise<NatsProcess | undefined> {
    const { binary, logger } = this.#options;
    const orphan = await findOrphan(binary, this.#files);
    if (!orphan) return undefined;
    const { pid } = orphan.process;
    if (orphan.sameProgram && (await readFile(this.#files.config, "utf8").catch(() => "")) === config) {
      try {
        this.#port = await withinLimit(orphan.process.port, adoptLimitMs);
        await this.#answers(adoptLimitMs);
        logger.info({ pid }, "adopting a nats-server whose parent was killed");
        return orphan.process;
      } catch (error) {
        logger.warn({ pid, err: error }, "a nats-server whose parent was killed does not answer; ending it");
        await endNats(orphan.process, 500);
        return undefined;
      }
    }
    logger.info({ pid }, "ending a nats-server whose parent was killed: it is another program or differently configured");
    await endNats(orphan.process, stopLimitMs);
    return undefined;
  }

  async #spawnFirst(config: string): Promise<NatsProcess> {
    await sweepNatsFiles(this.#files);
    await writePrivately(this.#files.config, config);
    return spawnNats(this.#options.binary, this.#files);
  }

  /** JetStream answers, and is new enough. */
  async #answers(limitMs: number): Promise<void> {
    const { logger } = this.#options;
    // Loaded while the process starts.
    const { connectNats } = await import("./connection.js");
    const link = await connectNats({ servers: this.url, ...this.credentials.queue, name: "runlane start", logger, timeoutMs: limitMs });
    await link.close();
  }

  /** Starts nats-server again, at once and then ever more slowly, for as long as it ends without having been asked to. */
  async #supervise(first: NatsProcess): Promise<void> {
    const { binary, logger } = this.#options;
    let life = first;
    let delayMs = 0;
    for (;;) {
      const since = performance.now();
      const why = await life.exited;
      if (this.#stopping.signal.aborted) return;
      this.#life = undefined;
      if (performance.now() - since > restartDelay.forgottenAfterMs) delayMs = 0;
      const said = await lastWords(this.#files);
      logger.error({ pid: life.pid, why, said, delayMs }, "nats-server ended unexpectedly; starting it again");
      await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) return;
      delayMs = Math.min(Math.max(delayMs * 2, restartDelay.firstMs), restartDelay.mostMs);
      await sweepNatsFiles(this.#files);
      if (this.#stopping.signal.aborted) return;
      life = spawnNats(binary, this.#files, this.#port);
      this.#life = life;
      life.port.then(
        () => logger.info({ pid: life.pid, port: this.#port }, "nats-server runs again"),
        (error: unknown) => this.#stopping.signal.aborted || logger.error({ err: error }, "nats-server could not be started"),
      );
    }
  }
}
