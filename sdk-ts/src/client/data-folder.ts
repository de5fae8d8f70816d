import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** What a server on this machine left in its data folder for clients. */
export interface DataFolder {
  readonly path: string;
  /** Content of `secret-key`; undefined if there is none, or this user may not read it. */
  readonly secretKey: string | undefined;
  /** Where the server listens, or did when it ran last; from `server.json`. */
  readonly address: string | undefined;
}

/** Finds the nearest folder `.runlane`, from `from` upward. */
export function findDataFolder(from: string): DataFolder | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, ".runlane");
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return readDataFolder(path);
    if (dirname(folder) === folder) return undefined;
  }
}

/** Reads a data folder. What is missing, unreadable or malformed in it is undefined. */
export function readDataFolder(path: string): DataFolder {
  return {
    path,
    secretKey: readText(join(path, "secret-key"))?.trim() || undefined,
    address: addressOf(readText(join(path, "server.json"))),
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

// A server that is killed while it writes leaves half a file.
function addressOf(text: string | undefined): string | undefined {
  try {
    const server: unknown = JSON.parse(text ?? "null");
    const address = typeof server === "object" && server !== null && "address" in server ? server.address : undefined;
    return typeof address === "string" ? address : undefined;
  } catch {
    return undefined;
  }
}
