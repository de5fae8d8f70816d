import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { task } from "@runlane/sdk";

const filesPerRun = 25;
const skipped = new Set(["node_modules", "dist", ".git"]);

/** Hashes some files. At most two of these runs execute at once, however many are queued and however many workers there are: the disk is shared. */
export const checksumFiles = task({
  id: "checksum-files",
  queue: { concurrencyLimit: 2 },
  run: async ({ folder, files }: { folder: string; files: string[] }) => {
    const lines: string[] = [];
    let bytes = 0;
    for (const file of files) {
      const content = await readFile(join(folder, file));
      bytes += content.length;
      lines.push(`${sha256(content)}  ${file}`);
    }
    return { lines, bytes };
  },
});

/** Computes one checksum for a whole folder: two folders have the same one exactly if they hold the same files. */
export const checksumTree = task({
  id: "checksum-tree",
  run: async ({ folder }: { folder: string }) => {
    const files = await filesIn(folder);
    const portions = Array.from({ length: Math.ceil(files.length / filesPerRun) }, (_, i) => files.slice(i * filesPerRun, (i + 1) * filesPerRun));

    const { runs } = await checksumFiles.batchTriggerAndWait(portions.map((portion) => ({ payload: { folder, files: portion } })));

    const lines: string[] = [];
    let bytes = 0;
    for (const run of runs) {
      if (!run.ok) throw new Error(`Run ${run.id} failed`, { cause: run.error });
      lines.push(...run.output.lines);
      bytes += run.output.bytes;
    }
    return { files: lines.length, bytes, sha256: sha256(lines.join("\n")) };
  },
});

async function filesIn(folder: string, below = folder): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(below, { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) found.push(...(await filesIn(folder, path)));
    else if (entry.isFile()) found.push(relative(folder, path));
  }
  return found.sort();
}

function sha256(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}
