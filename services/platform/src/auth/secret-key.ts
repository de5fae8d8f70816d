import { randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { createDataFile, readDataFile, replaceDataFile } from "../config/data-file.js";

/** A secret key and what it opens. */
export interface SecretKey {
  /** What callers send: `authorization: Bearer <key>`. */
  readonly key: string;
  /** The environment that it belongs to. */
  readonly environment: string;
}

/** File in the data folder that holds the secret key; local clients read it. */
export const secretKeyFile = "secret-key";

/**
 * The secret key of a server: `RUNLANE_SECRET_KEY` if it is set, else the one in the data folder, else a new one, `rl_dev_…`. It is kept in the folder's file
 * `secret-key`, for local clients; its owner alone may read it (0600). It belongs to the environment `dev`.
 *
 * @throws Error if the key is empty, longer than 256 characters, or holds anything but visible ASCII characters.
 */
export async function secretKeyOf(dataFolder: string, env: NodeJS.ProcessEnv = process.env): Promise<SecretKey> {
  const path = join(dataFolder, secretKeyFile);
  const adopted = env.RUNLANE_SECRET_KEY;
  if (adopted) {
    const key = checked(adopted, "RUNLANE_SECRET_KEY");
    if ((await readDataFile(path))?.trim() !== key) await replaceDataFile(path, `${key}\n`, 0o600);
    return { key, environment: "dev" };
  }
  const minted = `rl_dev_${randomBytes(24).toString("base64url")}`;
  const key = checked((await createDataFile(path, `${minted}\n`, 0o600)).trim(), path);
  // The file may have been copied, or made by hand.
  await chmod(path, 0o600);
  return { key, environment: "dev" };
}

/**
 * The secret key for a process of an installation that has several: `RUNLANE_SECRET_KEY` if it is set, else the one in the data folder. None is minted: each process would have its own.
 *
 * @throws Error if there is none, or it is none; the message says where to put one.
 */
export async function presentSecretKey(dataFolder: string, env: NodeJS.ProcessEnv = process.env): Promise<SecretKey> {
  const path = join(dataFolder, secretKeyFile);
  const key = env.RUNLANE_SECRET_KEY || (await readDataFile(path))?.trim();
  if (!key)
    throw new Error(`there is no secret key: set RUNLANE_SECRET_KEY, the same for all processes, or mint one by runlane nats-config (it is not in ${path})`);
  return { key: checked(key, env.RUNLANE_SECRET_KEY ? "RUNLANE_SECRET_KEY" : path), environment: "dev" };
}

function checked(key: string, source: string): string {
  if (!/^[\x21-\x7e]{1,256}$/.test(key)) throw new Error(`${source} holds no secret key: 1 to 256 visible ASCII characters, without spaces`);
  return key;
}
