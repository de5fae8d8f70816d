import { randomBytes } from "node:crypto";
import { chmod, link, readFile, rename, rm, writeFile } from "node:fs/promises";

/** Replaces a small file in one step: whoever reads it sees the old text or the new one. */
export async function replaceDataFile(path: string, text: string, mode: number): Promise<void> {
  await rename(await writeDraft(path, text, mode), path);
}

/**
 * Creates a small file unless it is there, in one step: of several that try at the same time one wins, and all return what it wrote.
 *
 * @returns The file's text.
 */
export async function createDataFile(path: string, text: string, mode: number): Promise<string> {
  const present = await readDataFile(path);
  if (present !== undefined) return present;
  const draft = await writeDraft(path, text, mode);
  try {
    await link(draft, path);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return await readFile(path, "utf8");
  } finally {
    await rm(draft, { force: true });
  }
}

/** Reads a small file; undefined if it is not there. */
export async function readDataFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function writeDraft(path: string, text: string, mode: number): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString("hex")}.draft`;
  await writeFile(draft, text, { mode });
  // The process's umask may have taken bits away.
  await chmod(draft, mode);
  return draft;
}
