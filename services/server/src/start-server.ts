import { launchEmbeddedNats, openDataFolder, secretKeyOf } from "@runlane/platform/boot";
import type { RunningServer, WholeServerOptions } from "./server-options.js";

export type { RunningServer };

/**
 * Starts Runlane in this process: scheduler, executor and the owner of the one partition, around a nats-server of its own. They speak by the memory transport. Resolves when the
 * partition is served; the listener is there earlier, so that clients of a server that restarts wait instead of trying again.
 *
 * @throws Error PortTaken, a data folder in use, a nats-server that does not run; whatever was started until then is stopped
 */
export async function startServer(options: WholeServerOptions): Promise<RunningServer> {
  const { dataFolder, env, natsServer, sync, storeLimit, logger } = options;
  const folder = await openDataFolder(dataFolder);
  try {
    const secretKey = await secretKeyOf(folder.path, env);
    const nats = await launchEmbeddedNats({ binary: natsServer, dataDir: folder.path, sync, storeLimit, logger: logger.child({ service: "nats" }) });
    // Loaded only now: a third of a second, in which nats-server reads its store.
    const { startWhole } = await import("./start-whole.js");
    return await startWhole(options, { folder, secretKey, nats });
  } catch (error) {
    await folder.release();
    throw error;
  }
}
