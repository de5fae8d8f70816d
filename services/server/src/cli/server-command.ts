import {
  createLogger,
  findDataFolder,
  type Logger,
  type NatsSync,
  natsUsers,
  parseListenAddress,
  readNatsCredentials,
  readTlsFiles,
  type TlsIdentity,
} from "@runlane/platform/boot";
import type { SnapshotRules } from "@runlane/queue";
import { findNatsBinary } from "../nats-binary.js";
import type { RunningServer, ServerOptions, ServiceName } from "../server-options.js";
import { startServer } from "../start-server.js";
import { parseByteSize } from "./byte-size.js";
import type { CommandContext } from "./command-context.js";
import { CommandFailure, type ExitCode, exitCode, readArgument, usageFailure } from "./exit-code.js";
import { stopSignals } from "./stop-signals.js";

/** Options of `runlane server`. */
export interface ServerCommandOptions {
  /** The ready line as JSON. */
  json?: boolean;
  data?: string;
  listen?: string;
  httpListen?: string;
  tlsCert?: string;
  tlsKey?: string;
  corsOrigin?: string[];
  publicUrl?: string;
  sync: NatsSync;
  /** Seconds. */
  versionPatience?: number;
  /** Days. */
  keepLog?: number;
  /** Events. */
  snapshotEvery?: number;
  storeLimit?: string;
  natsServer?: string;
  /** Names, with commas between. */
  services?: string;
  nats?: string;
  natsCreds?: string[];
  natsReplicas?: string;
}

const defaultListen = "127.0.0.1:7400";
const defaultHttpListen = "127.0.0.1:7401";

/** `runlane server`: serves until SIGTERM or SIGINT, then stops in order. Its log goes to standard error: everything, or warnings only if that is a terminal. */
export async function serverCommand({ terminal }: CommandContext, options: ServerCommandOptions): Promise<ExitCode> {
  const services = servicesOf(options);
  const whole = options.nats === undefined;
  const listen = options.listen ?? (process.env.RUNLANE_LISTEN || defaultListen);
  // A process that does not listen for gRPC has no port beside it.
  const httpListen = options.httpListen ?? (process.env.RUNLANE_HTTP_LISTEN || (services.join() === "queue" ? defaultHttpListen : undefined));
  readArgument(() => parseListenAddress(listen));
  if (httpListen !== undefined) readArgument(() => parseListenAddress(httpListen));
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined)) throw usageFailure("--tls-cert and --tls-key belong together");
  const publicUrl = readArgument(() => publicUrlOf(options.publicUrl ?? process.env.RUNLANE_PUBLIC_URL));
  const replicas = replicasOf(options.natsReplicas);
  const storeLimit = options.storeLimit === undefined ? undefined : parseByteSize(options.storeLimit);
  const dataFolder = await findDataFolder(options.data);
  const env = { RUNLANE_LOG_LEVEL: process.stderr.isTTY ? "warn" : "info", ...process.env };
  const logger = createLogger({ name: whole ? "runlane" : `runlane-${services.join("+")}`, env, destination: process.stderr });
  const signals = stopSignals();
  let server: RunningServer;
  try {
    const tls = await tlsOf(options, logger);
    const versionPatienceMs = options.versionPatience === undefined ? undefined : options.versionPatience * 1_000;
    const snapshotRules = snapshotRulesOf(options);
    const place = { dataFolder, listen, httpListen, tls, corsOrigins: options.corsOrigin, publicUrl };
    const common: ServerOptions = { ...place, versionPatienceMs, snapshotRules, logger, signal: signals.stop };
    if (options.nats === undefined) {
      server = await startServer({ ...common, sync: options.sync, storeLimit, natsServer: await findNatsBinary({ path: options.natsServer }) });
    } else {
      const credentials = await readNatsCredentials(options.natsCreds ?? [], services);
      const { startServices } = await import("../start-services.js");
      const servers = options.nats.split(",").map((one) => one.trim());
      server = await startServices({ ...common, services, nats: { servers, credentials, replicas } });
    }
  } catch (error) {
    if (signals.stop.aborted) return exitCode.ok;
    throw new CommandFailure(exitCode.cannotStart, error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { address, httpAddress } = server;
  if (options.json) terminal.result(JSON.stringify({ address, httpAddress, dataFolder, pid: process.pid, ...(!whole && { services }) }));
  else if (whole)
    terminal.result(`Runlane listens on ${address}, for HTTP on ${httpAddress}. Data folder, with the secret key: ${dataFolder}. Ctrl-C stops it.`);
  else terminal.result(`Runlane's ${services.join(" and ")} listens on ${address}. Ctrl-C stops it.`);
  await signals.received;
  logger.info({ signal: signals.stop.reason }, "stopping");
  await server.stop();
  return exitCode.ok;
}

/** Which services are asked for; whoever asks for some must say where NATS is. */
function servicesOf({ services, nats, natsCreds, natsReplicas, natsServer, storeLimit }: ServerCommandOptions): ServiceName[] {
  if (nats === undefined) {
    for (const [option, value] of Object.entries({ "--services": services, "--nats-creds": natsCreds, "--nats-replicas": natsReplicas })) {
      if (value !== undefined)
        throw usageFailure(`${option} needs --nats: services in several processes meet on a nats-server that none of them starts (runlane nats-config --help)`);
    }
    return [...natsUsers];
  }
  if (natsCreds === undefined) throw usageFailure("--nats needs --nats-creds: a file of credentials for each service, as runlane nats-config writes them");
  if (natsServer !== undefined || storeLimit !== undefined) {
    throw usageFailure(
      `${natsServer === undefined ? "--store-limit" : "--nats-server"} is for a nats-server that this process starts; with --nats it starts none`,
    );
  }
  const names = [...new Set((services ?? natsUsers.join()).split(",").map((name) => name.trim()))];
  const unknown = names.find((name) => !natsUsers.some((known) => known === name));
  if (unknown !== undefined) throw usageFailure(`there is no service "${unknown}"; --services takes scheduler, queue and executor, with commas between`);
  return names as ServiceName[];
}

function snapshotRulesOf({ keepLog, snapshotEvery }: ServerCommandOptions): Partial<SnapshotRules> {
  return { ...(keepLog !== undefined && { keepLogMs: keepLog * 86_400_000 }), ...(snapshotEvery !== undefined && { events: snapshotEvery }) };
}

async function tlsOf({ tlsCert, tlsKey }: ServerCommandOptions, logger: Logger): Promise<TlsIdentity | undefined> {
  return tlsCert === undefined || tlsKey === undefined ? undefined : await readTlsFiles(tlsCert, tlsKey, logger);
}

/** The address without a slash at its end; undefined for none. */
function publicUrlOf(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "" || url.hash !== "")
    throw new Error(`"${text}" is no public address: write http(s)://host[:port]`);
  return url.href.replace(/\/+$/, "");
}

function replicasOf(text: string | undefined): 1 | 3 | 5 | undefined {
  const replicas = text === undefined ? undefined : Number(text);
  if (replicas === undefined || replicas === 1 || replicas === 3 || replicas === 5) return replicas;
  throw usageFailure(`--nats-replicas is 1, 3 or 5, not ${text}`);
}
