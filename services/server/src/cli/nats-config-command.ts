import { resolve } from "node:path";
import { findDataFolder, formatListenAddress, openDataFolder, parseListenAddress, secretKeyOf, writeExternalNats } from "@runlane/platform";
import type { CommandContext } from "./command-context.js";
import { type ExitCode, exitCode, readArgument } from "./exit-code.js";

/** Options of `runlane nats-config`. */
export interface NatsConfigCommandOptions {
  json?: boolean;
  data?: string;
  out?: string;
  listen: string;
  store?: string;
  monitor?: string;
}

/** `runlane nats-config`: writes what a nats-server for services in several processes needs, and what they need to speak to it. Repeated, it writes the same. */
export async function natsConfigCommand({ terminal }: CommandContext, options: NatsConfigCommandOptions): Promise<ExitCode> {
  const listen = natsAddress(options.listen);
  const monitor = options.monitor === undefined ? undefined : natsAddress(options.monitor);
  const dataFolder = await findDataFolder(options.data);
  // Nobody else mints meanwhile.
  const folder = await openDataFolder(dataFolder);
  try {
    await secretKeyOf(dataFolder);
    const { config, credentials } = await writeExternalNats({
      dataFolder,
      out: options.out && resolve(options.out),
      listen,
      storeFolder: options.store,
      monitor,
    });
    if (options.json) terminal.result(JSON.stringify({ config, credentials, dataFolder }));
    else {
      const lines = Object.entries(credentials).map(([service, file]) => `runlane server --services ${service} --nats nats://HOST:PORT --nats-creds ${file}`);
      terminal.result([`nats-server -c ${config}`, ...lines].join("\n"));
      terminal.note(`The secret key for scheduler and executor is in ${dataFolder}; elsewhere, set RUNLANE_SECRET_KEY.`);
    }
    return exitCode.ok;
  } finally {
    await folder.release();
  }
}

/** As nats-server writes it: it takes any free port for -1. */
function natsAddress(text: string): string {
  const { host, port } = readArgument(() => parseListenAddress(text));
  return formatListenAddress({ host: host || "0.0.0.0", port: port === 0 ? -1 : port });
}
