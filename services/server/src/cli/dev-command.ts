import { createLogger } from "@runlane/platform";
import { ApiClientMissingError } from "@runlane/sdk";
import { runDev } from "../dev/index.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { CommandFailure, type ExitCode, exitCode } from "./exit-code.js";
import { stopSignals } from "./stop-signals.js";

/** Options of `runlane dev`. */
export interface DevCommandOptions extends ClientOptions {
  concurrency?: number;
  config?: string;
  data?: string;
  envFile?: string;
  listen?: string;
  natsServer?: string;
}

/** `runlane dev [dirs...]`: a server if there is none, a worker, and a new version of it after each save; until SIGTERM or SIGINT. A second signal ends it at once. */
export async function devCommand({ terminal }: CommandContext, dirs: string[], options: DevCommandOptions): Promise<ExitCode> {
  const { stop } = stopSignals();
  const logger = createLogger({ name: "runlane", env: { RUNLANE_LOG_LEVEL: "warn", ...process.env }, destination: process.stderr });
  const json = options.json ?? false;
  const colors = !json && process.stdout.isTTY === true && !process.env.NO_COLOR;
  try {
    const taken = await runDev({
      dirs,
      configFile: options.config,
      concurrency: options.concurrency,
      address: options.address,
      data: options.data,
      envFile: options.envFile,
      listen: options.listen,
      natsServer: options.natsServer,
      cwd: process.cwd(),
      env: process.env,
      logger,
      signal: stop,
      screen: { json, colors, show: (text) => terminal.result(text) },
    });
    return taken ? exitCode.ok : exitCode.noServer;
  } catch (error) {
    if (stop.aborted) return exitCode.ok;
    if (error instanceof ApiClientMissingError) throw error;
    throw new CommandFailure(exitCode.cannotStart, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
