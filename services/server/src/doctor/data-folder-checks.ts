import { randomBytes } from "node:crypto";
import { access, constants, mkdtemp, open, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Finding, fail, ok, warn } from "./finding.js";

const mebibyte = 2 ** 20;
/** Below this nothing can be relied on. */
const leastFree = 100 * mebibyte;
/** Below this a log that grows will soon be in trouble. */
const littleFree = 1_024 * mebibyte;
/** Every batch of acknowledgements waits for an fsync; above this, people notice. In milliseconds. */
const slowFsyncMs = 20;
const fsyncs = 9;

/** Whether the data folder is this user's own. It need not be there. */
export async function checkDataFolder(folder: string): Promise<Finding> {
  const status = await stat(folder).catch(() => undefined);
  if (status === undefined) return ok(`none so far; a server makes ${folder}`);
  if (!status.isDirectory()) return fail(`${folder} is no folder`, "move it away, or name another one by --data");
  const writable = await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!writable) return fail(`${folder} cannot be written by this user`, `run as its owner, or: chown -R ${process.getuid?.() ?? "$(id -u)"} ${folder}`);
  if ((status.mode & 0o077) !== 0) return warn(`others may look into ${folder} (mode ${modeOf(status.mode)})`, `chmod 700 ${folder}`);
  return ok(folder);
}

/** Whether the secret key in the data folder is there, and secret. */
export async function checkSecretKeyFile(folder: string): Promise<Finding> {
  const file = join(folder, "secret-key");
  const status = await stat(file).catch(() => undefined);
  if (status === undefined) return ok("none so far; the first start of a server mints one");
  const mode = status.mode & 0o777;
  if ((mode & 0o077) !== 0) return fail(`others may read ${file} (mode ${modeOf(mode)})`, `chmod 600 ${file}; if others use this machine, make another key`);
  if (status.size === 0) return fail(`${file} is empty`, "remove it; the next start of a server mints another");
  return ok(`${file}, mode ${modeOf(mode)}`);
}

/** Whether the disk under the data folder has room. */
export async function checkDiskSpace(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await existing(folder));
  return spaceFinding(bavail * bsize);
}

/** What to make of so many free bytes. */
export function spaceFinding(free: number): Finding {
  const words = free < littleFree ? `${Math.floor(free / mebibyte)} MiB free` : `${(free / 2 ** 30).toFixed(1)} GiB free`;
  if (free < leastFree)
    return fail(`only ${words}: a server will soon refuse new runs`, "make room on the disk of the data folder, or put the folder elsewhere by --data");
  if (free < littleFree) return warn(words, "make room: the log of runs grows");
  return ok(words);
}

/** How long the disk under the data folder takes to make a write durable. */
export async function checkFsync(folder: string): Promise<Finding> {
  const inside = await mkdtemp(join(await existing(folder), ".doctor-"));
  try {
    const file = await open(join(inside, "probe"), "w");
    const times: number[] = [];
    for (let i = 0; i < fsyncs; i += 1) {
      await file.write(randomBytes(4_096));
      const start = performance.now();
      await file.sync();
      times.push(performance.now() - start);
    }
    await file.close();
    return fsyncFinding(times.sort((a, b) => a - b)[Math.floor(fsyncs / 2)]!);
  } catch (error) {
    return fail(`a file could not be written and synced: ${(error as Error).message}`, "see to the disk and its permissions");
  } finally {
    await rm(inside, { recursive: true, force: true });
  }
}

/** What to make of an fsync that takes so many milliseconds. */
export function fsyncFinding(ms: number): Finding {
  const words = `an fsync takes ${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
  if (ms <= slowFsyncMs) return ok(words);
  return warn(`${words}: each trigger waits for one, though many share it`, "use a local SSD for the data folder");
}

/** The folder, or the next one upward that is there. */
async function existing(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    const status = await stat(at).catch(() => undefined);
    if (status?.isDirectory() || at === dirname(at)) return at;
  }
}

function modeOf(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
