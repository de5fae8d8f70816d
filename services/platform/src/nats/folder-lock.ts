import { randomBytes } from "node:crypto";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identifyProcess } from "./process-identity.js";

/** A folder that belongs to this process until it is released, or the process ends in whatever way. */
export interface FolderLock {
  /** Gives the folder free. */
  release(): Promise<void>;
}

/** How long the lesser name waits for the greater ones to give way: on a busy machine a process may need a while to see that it should. */
const patienceMs = 1_500;

/**
 * Takes a folder for this process: two servers on one data folder would share a node id and fight over the same partitions for ever.
 *
 * Every candidate puts a file of its own into the folder and then looks for others: of two candidates at least one sees the other, so two never both find
 * themselves alone. The one with the greater name gives way at once; the one with the lesser name waits until it is alone, a moment at most. The file of a
 * dead process counts for nothing.
 *
 * @throws Error if a living process holds the folder; the message names it.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const name = `lock-${randomBytes(8).toString("hex")}`;
  const file = join(folder, name);
  // It appears with its content or not at all.
  const draft = join(folder, `draft-${name}`);
  await writeFile(draft, JSON.stringify({ pid: process.pid, startedAt: (await identifyProcess(process.pid))?.startedAt }), { mode: 0o600 });
  await rename(draft, file);

  const deadline = performance.now() + patienceMs;
  for (;;) {
    const others = await otherCandidates(folder, name);
    if (others.length === 0) return { release: () => rm(file, { force: true }) };
    const stronger = others.find((other) => other.name < name) ?? (performance.now() > deadline ? others[0] : undefined);
    if (stronger) {
      await rm(file, { force: true });
      throw new Error(`the data folder ${folder} is in use by process ${stronger.pid}`);
    }
    await sleep(5);
  }
}

/** Living processes that hold the folder or want to. Removes the files of dead ones. */
async function otherCandidates(folder: string, mine: string): Promise<{ name: string; pid: number }[]> {
  const candidates: { name: string; pid: number }[] = [];
  for (const name of await readdir(folder)) {
    if (!name.startsWith("lock-") || name === mine) continue;
    const content = await readFile(join(folder, name), "utf8").catch(() => undefined);
    if (content === undefined) continue;
    const pid = await livingHolder(content);
    if (pid === undefined) await rm(join(folder, name), { force: true });
    else candidates.push({ name, pid });
  }
  return candidates;
}

async function livingHolder(content: string): Promise<number | undefined> {
  try {
    const { pid, startedAt } = JSON.parse(content) as { pid: number; startedAt: string };
    return (await identifyProcess(pid))?.startedAt === startedAt ? pid : undefined;
  } catch {
    return undefined;
  }
}
