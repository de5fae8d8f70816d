import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { findDataFolder, type Logger, PortTaken, readServerFile } from "@runlane/platform";
import { createRunlaneClient, readDataFolder, resolveTarget } from "@runlane/sdk/internal";
import { findNatsBinary } from "../nats-binary.js";
import type { RunningServer } from "../server-options.js";
import { startServer } from "../start-server.js";

const defaultListen = "127.0.0.1:7400";
/** How long a server that the data folder names may take to answer, in milliseconds. */
const answerMs = 2_000;

/**
 * How long a run waits for the version of the code that it started on, in milliseconds. A version that a save replaced does not come back: whoever mends a task wants its retries to run what is
 * mended.
 */
const versionPatienceMs = 1_000;

/** Which server to develop against. */
export interface LocalServerOptions {
  /** Address that somebody gave. No server is started then. */
  readonly address?: string | undefined;
  /** Data folder that somebody gave. Default: the nearest `.runlane` upward, else one in `cwd`. */
  readonly data?: string | undefined;
  /** Where a server that is started listens for gRPC; for HTTP on the next port. Default: RUNLANE_LISTEN, else 127.0.0.1:7400, or any free ports if these are taken. */
  readonly listen?: string | undefined;
  readonly natsServer?: string | undefined;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** A server to develop against. */
export interface DevServer {
  readonly address: string;
  /** How it came about, for people. */
  readonly origin: string;
  /** What a worker needs in its environment to find it. */
  readonly workerEnv: Record<string, string>;
  /** Stops it, if it was started here. */
  stop(): Promise<void>;
}

/**
 * Finds the server that was named, or the one that runs on the data folder; else starts one in this process, with a nats-server.
 *
 * @throws ApiClientMissingError if an address was given and no key is found
 * @throws Error if no server can be started
 */
export async function findOrStartServer(options: LocalServerOptions): Promise<DevServer> {
  const { env, cwd } = options;
  const given = options.address || env.RUNLANE_ADDRESS || env.TRIGGER_API_URL;
  if (given) {
    const { address, secretKey = "" } = resolveTarget({ baseURL: given }, env, cwd);
    const origin = options.address ? "named by --address" : `named by ${env.RUNLANE_ADDRESS ? "RUNLANE_ADDRESS" : "TRIGGER_API_URL"}`;
    // Where RUNLANE_WORKER_ADDRESS names another address for workers, it is meant for the server that RUNLANE_ADDRESS names.
    const forWorkers = (options.address ? undefined : env.RUNLANE_WORKER_ADDRESS) || address;
    return {
      address,
      origin,
      workerEnv: { RUNLANE_ADDRESS: address, RUNLANE_WORKER_ADDRESS: forWorkers, RUNLANE_SECRET_KEY: secretKey },
      stop: async () => {},
    };
  }
  const dataFolder = await findDataFolder(options.data, cwd);
  const running = await answeringServer(dataFolder);
  if (running !== undefined) {
    return { address: running, origin: `found by ${join(dataFolder, "server.json")}`, workerEnv: workerEnv(running, dataFolder), stop: async () => {} };
  }
  const server = await start(dataFolder, options);
  // The folder holds a key. A project that is new has not told its version control of it.
  await writeFile(join(dataFolder, ".gitignore"), "*\n", { flag: "wx" }).catch(() => {});
  const { address } = server;
  return { address, origin: `started here, data in ${dataFolder}`, workerEnv: workerEnv(address, dataFolder), stop: () => server.stop() };
}

async function start(dataFolder: string, { listen, natsServer, env, logger, signal }: LocalServerOptions): Promise<RunningServer> {
  const named = listen ?? env.RUNLANE_LISTEN;
  const httpListen = env.RUNLANE_HTTP_LISTEN || undefined;
  const settings = {
    dataFolder,
    httpListen,
    versionPatienceMs,
    sync: "always" as const,
    natsServer: await findNatsBinary({ path: natsServer, env }),
    env,
    logger,
    signal,
  };
  try {
    return await startServer({ ...settings, listen: named || defaultListen });
  } catch (error) {
    // Another project's server may have it. Whoever named a port wants that one.
    if (named || !(error instanceof PortTaken)) throw error;
    return await startServer({ ...settings, listen: "127.0.0.1:0" });
  }
}

/** The address of the server that runs on a data folder; undefined if none answers. */
async function answeringServer(dataFolder: string): Promise<string | undefined> {
  const file = await readServerFile(dataFolder).catch(() => undefined);
  const { secretKey } = readDataFolder(dataFolder);
  if (file === undefined || secretKey === undefined) return undefined;
  const client = createRunlaneClient({ baseURL: file.address, secretKey, requestOptions: { timeoutInMs: answerMs } });
  try {
    await client.tasks.listTasks({ pageSize: 1 });
    return file.address;
  } catch (error) {
    const { code } = ConnectError.from(error);
    return code === Code.Unavailable || code === Code.DeadlineExceeded ? undefined : file.address;
  } finally {
    client.close();
  }
}

function workerEnv(address: string, dataFolder: string): Record<string, string> {
  const { secretKey } = readDataFolder(dataFolder);
  return { RUNLANE_ADDRESS: address, RUNLANE_WORKER_ADDRESS: address, ...(secretKey === undefined ? {} : { RUNLANE_SECRET_KEY: secretKey }) };
}
