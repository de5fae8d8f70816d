import { randomBytes } from "node:crypto";
import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { lockFolder } from "../nats/folder-lock.js";
import { createDataFile } from "./data-file.js";

/** Name of a data folder. */
export const dataFolderName = ".runlane";

/** A data folder that this process holds. */
export interface DataFolder {
  /** Absolute path. */
  readonly path: string;
  /** Names this server among those of one installation; minted once, letters and digits. */
  readonly nodeId: string;
  /** Lets it go. */
  release(): Promise<void>;
}

/**
 * Finds the data folder: `given` (`--data`), else the nearest `.runlane` in `cwd` or above it, else `.runlane` in `cwd`. It need not exist.
 *
 * @returns Its absolute path.
 */
export async function findDataFolder(given: string | undefined, cwd: string = process.cwd()): Promise<string> {
  if (given) return resolve(cwd, given);
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const candidate = join(folder, dataFolderName);
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isDirectory()) return candidate;
    if (folder === dirname(folder)) return resolve(cwd, dataFolderName);
  }
}

/**
 * Takes a data folder for this process, for its life or until it is released. Makes it if it is not there, readable by its owner alone.
 *
 * @throws Error if a living process holds it; the message names the folder and the process.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  const lock = await lockFolder(path);
  try {
    const nodeId = (await createDataFile(join(path, "node-id"), `${randomBytes(8).toString("hex")}\n`, 0o644)).trim();
    if (!/^[0-9A-Za-z]{1,64}$/.test(nodeId)) throw new Error(`${join(path, "node-id")} holds no node id: letters and digits, 64 at most`);
    return { path, nodeId, release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
