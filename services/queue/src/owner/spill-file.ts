import { closeSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@runlane/platform";
import type { Spill, SpilledSegment } from "../engine/payload-arena.js";

/** A file for what memory has no room for. */
export interface SpillFile extends Spill {
  close(): void;
}

/**
 * Opens a file for payloads of runs far back in the backlog. It has no name: whatever ends the process, nothing of it is left. The state does not depend on it, being made of log and snapshot.
 *
 * Reads and writes block, a quarter of a megabyte each: in the page cache that takes some 50 µs, and comes once for more than a thousand runs.
 */
export function openSpillFile(folder: string, logger: Logger): SpillFile {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `backlog-${process.pid}-${Date.now()}`);
  const file = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  const free: number[] = [];
  let end = 0;
  let open = true;
  return {
    write(bytes): SpilledSegment | undefined {
      if (!open) return undefined;
      const at = free.pop() ?? end;
      try {
        for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written, at + written);
      } catch (error) {
        // A full disk, for instance: memory keeps it.
        logger.warn({ err: error }, "payloads of the backlog cannot be put on disk and stay in memory");
        if (at !== end) free.push(at);
        return undefined;
      }
      if (at === end) end += bytes.length;
      const { length } = bytes;
      return {
        read() {
          const buffer = new Uint8Array(length);
          for (let got = 0; got < length; ) {
            const count = readSync(file, buffer, got, length - got, at + got);
            if (count === 0) throw new Error("the file of the backlog is shorter than what was written");
            got += count;
          }
          return buffer;
        },
        drop() {
          if (open) free.push(at);
        },
      };
    },
    close() {
      if (!open) return;
      open = false;
      closeSync(file);
    },
  };
}
