import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readDataFile, replaceDataFile } from "./data-file.js";

/** What a running server tells local clients, in `server.json` of its data folder; a process with some of the services has a file of its own beside it. */
export interface ServerFile {
  /** Where it serves gRPC, `http://host:port`. */
  readonly address: string;
  /** Where it serves HTTP, `http://host:port`: health at least. Missing in files of older versions. */
  readonly httpAddress?: string | undefined;
  /** Its process. */
  readonly pid: number;
  /** When it started, ISO 8601. */
  readonly startedAt: string;
}

/** Name of the file of a whole server, and of a process that serves the API of clients. */
export const serverFile = "server.json";

/** Tells where this server is. Everybody may read it: it holds no secret. A process without gRPC, which has no `address`, needs another `name` than {@link serverFile}. */
export async function writeServerFile(dataFolder: string, file: ServerFile | Omit<ServerFile, "address">, name = serverFile): Promise<void> {
  await replaceDataFile(join(dataFolder, name), `${JSON.stringify(file)}\n`, 0o644);
}

/** Reads where the folder's server is, or was: a killed server leaves its file. Undefined if there is none, or none that can be understood. */
export async function readServerFile(dataFolder: string): Promise<ServerFile | undefined> {
  const text = await readDataFile(join(dataFolder, serverFile));
  if (text === undefined) return undefined;
  try {
    const { address, httpAddress, pid, startedAt } = JSON.parse(text) as Partial<ServerFile>;
    if (typeof address !== "string" || typeof pid !== "number" || typeof startedAt !== "string") return undefined;
    return { address, pid, startedAt, ...(typeof httpAddress === "string" && { httpAddress }) };
  } catch {
    return undefined;
  }
}

/** Takes the file away when the server stops. */
export async function removeServerFile(dataFolder: string, name = serverFile): Promise<void> {
  await rm(join(dataFolder, name), { force: true });
}
