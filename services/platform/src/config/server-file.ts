import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readDataFile, replaceDataFile } from "./data-file.js";

/** What a running server tells local clients, in `server.json` of its data folder. */
export interface ServerFile {
  /** Where it serves gRPC, `http://host:port`. */
  readonly address: string;
  /** Its process. */
  readonly pid: number;
  /** When it started, ISO 8601. */
  readonly startedAt: string;
}

const nameOf = (dataFolder: string) => join(dataFolder, "server.json");

/** Tells where this server is. Everybody may read it: it holds no secret. */
export async function writeServerFile(dataFolder: string, file: ServerFile): Promise<void> {
  await replaceDataFile(nameOf(dataFolder), `${JSON.stringify(file)}\n`, 0o644);
}

/** Reads where the folder's server is, or was: a killed server leaves its file. Undefined if there is none, or none that can be understood. */
export async function readServerFile(dataFolder: string): Promise<ServerFile | undefined> {
  const text = await readDataFile(nameOf(dataFolder));
  if (text === undefined) return undefined;
  try {
    const { address, pid, startedAt } = JSON.parse(text) as Partial<ServerFile>;
    if (typeof address !== "string" || typeof pid !== "number" || typeof startedAt !== "string") return undefined;
    return { address, pid, startedAt };
  } catch {
    return undefined;
  }
}

/** Takes the file away when the server stops. */
export async function removeServerFile(dataFolder: string): Promise<void> {
  await rm(nameOf(dataFolder), { force: true });
}
