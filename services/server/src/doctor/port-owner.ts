import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

/** A process that listens on a port. */
export interface PortOwner {
  readonly pid: number;
  /** Its command, as far as the system tells. */
  readonly command: string;
}

/** Who listens on a TCP port of this machine; undefined if nobody does, or the system does not say, say because it is another user's process. */
export async function portOwner(port: number): Promise<PortOwner | undefined> {
  return process.platform === "linux" ? await ownerOnLinux(port) : await ownerByLsof(port);
}

/** The state LISTEN in /proc/net/tcp. */
const listening = "0A";

async function ownerOnLinux(port: number): Promise<PortOwner | undefined> {
  const tables = await Promise.all(["tcp", "tcp6"].map((table) => readFile(`/proc/net/${table}`, "utf8").catch(() => "")));
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const line of tables.join("\n").split("\n")) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === listening && local?.endsWith(`:${hexPort}`) && inode) inodes.add(`socket:[${inode}]`);
  }
  if (inodes.size === 0) return undefined;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const descriptors = await readdir(`/proc/${name}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${name}/fd/${descriptor}`).catch(() => "");
      if (inodes.has(target)) return { pid: Number(name), command: await commandOf(name) };
    }
  }
  return undefined;
}

async function commandOf(pid: string): Promise<string> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return line.split("\0").join(" ").trim().slice(0, 120);
}

async function ownerByLsof(port: number): Promise<PortOwner | undefined> {
  try {
    const { stdout } = await promisify(execFile)("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"], { timeout: 5_000 });
    const pid = /^p(\d+)$/m.exec(stdout)?.[1];
    return pid === undefined ? undefined : { pid: Number(pid), command: /^c(.*)$/m.exec(stdout)?.[1] ?? "" };
  } catch {
    return undefined;
  }
}
