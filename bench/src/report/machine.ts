import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { arch, cpus, platform, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { median } from "../statistics.js";

/** File systems that people meet, by Linux's numbers for them. */
const fileSystems: Readonly<Record<number, string>> = { 61267: "ext4", 1481003842: "xfs", 2435016766: "btrfs", 2035054128: "overlay", 801189825: "zfs" };
const inMemory = 0x01021994;

/** Processors, memory, system and Node, in a line for people. */
export function machine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() || "processors";
  return `${processors.length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()} ${release()} ${arch()}, Node ${process.versions.node}`;
}

/** Where the data folders are, and what a write to disk costs there. */
export function disk(): string {
  const folder = mkdtempSync(join(tmpdir(), "runlane-bench-disk-"));
  try {
    const { type } = statfsSync(folder);
    if (platform() === "linux" && type === inMemory)
      return `data in ${tmpdir()}, which is memory: writes to disk cost nothing here. Set TMPDIR to a folder on a disk`;
    const kind = platform() === "linux" ? ` on ${fileSystems[type] ?? `file system ${type}`}` : "";
    return `data in ${tmpdir()}${kind}, fdatasync of 8 KiB ${syncMs(join(folder, "probe")).toFixed(2)} ms (median of 100)`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function syncMs(path: string): number {
  const file = openSync(path, "w");
  const block = Buffer.alloc(8 * 1_024, 1);
  const times = Array.from({ length: 100 }, () => {
    writeSync(file, block);
    const began = performance.now();
    fdatasyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  return median(times);
}
