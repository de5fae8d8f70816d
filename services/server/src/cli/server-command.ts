import { createLogger, findDataFolder, type NatsSync, parseListenAddress } from "@runlane/platform";
import { findNatsBinary } from "../nats-binary.js";
import { type RunningServer, startServer } from "../start-server.js";
import type { CommandContext } from "./command-context.js";
import { CommandFailure, type ExitCode, exitCode, usageFailure } from "./exit-code.js";
import { stopSignals } from "./stop-signals.js";

/** Options of `runlane server`. */
export interface ServerCommandOptions {
  /** The ready line as JSON. */
  json?: boolean;
  data?: string;
  listen?: string;
  sync: NatsSync;
  natsServer?: string;
}

const defaultListen = "127.0.0.1:7400";

/** `runlane server`: serves until SIGTERM or SIGINT, then stops in order. Its log goes to standard error: everything, or warnings only if that is a terminal. */
export async function serverCommand({ terminal }: CommandContext, options: ServerCommandOptions): Promise<ExitCode> {
  const listen = options.listen ?? (process.env.RUNLANE_LISTEN || defaultListen);
  try {
    parseListenAddress(listen);
  } catch (error) {
    throw usageFailure((error as Error).message);
  }
  const dataFolder = await findDataFolder(options.data);
  const env = { RUNLANE_LOG_LEVEL: process.stderr.isTTY ? "warn" : "info", ...process.env };
  const logger = createLogger({ name: "runlane", env, destination: process.stderr });
  const signals = stopSignals();
  let server: RunningServer;
  try {
    const natsServer = await findNatsBinary({ path: options.natsServer });
    server = await startServer({ dataFolder, listen, sync: options.sync, natsServer, logger, signal: signals.stop });
  } catch (error) {
    if (signals.stop.aborted) return exitCode.ok;
    throw new CommandFailure(exitCode.cannotStart, error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { address } = server;
  if (options.json) terminal.result(JSON.stringify({ address, dataFolder, pid: process.pid }));
  else terminal.result(`Runlane listens on ${address}. Data folder, with the secret key: ${dataFolder}. Ctrl-C stops it.`);
  await signals.received;
  logger.info({ signal: signals.stop.reason }, "stopping");
  await server.stop();
  return exitCode.ok;
}
