import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identifyProcess } from "./process-identity.js";
import type { NatsFiles } from "./server-config.js";

/** How long a nats-server may take to open its port; recovery of a large store takes its time. */
const startLimitMs = 120_000;

/** One life of a nats-server process. */
export interface NatsProcess {
  readonly pid: number;
  /** Resolves with the port once it is open; rejects, with what the process said, if it ends before. */
  readonly port: Promise<number>;
  /** Resolves with the reason once the process is gone. */
  readonly exited: Promise<string>;
  /** Sends a signal; does nothing once the process is gone. */
  kill(signal: NodeJS.Signals): void;
}

/** Starts a nats-server on the folder's configuration, on a given port or one that is free. */
export function spawnNats(binary: string, files: NatsFiles, port?: number): NatsProcess {
  const output = openSync(files.output, "w", 0o600);
  let child: ChildProcess;
  try {
    // A session of its own: Ctrl-C in a terminal goes to the whole process group, and NATS must outlive the services that drain into it.
    const args = ["-c", files.config, ...(port === undefined ? [] : ["-p", String(port)])];
    child = spawn(binary, args, { detached: true, stdio: ["ignore", output, output], env: environment() });
    // nats-server writes this file too, but later: a SIGKILL of this process in between must not leave an orphan that nobody finds.
    if (child.pid !== undefined) writeFileSync(files.pid, String(child.pid), { mode: 0o600 });
  } finally {
    closeSync(output);
  }
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`));
  });
  const life = { pid: child.pid ?? 0, exited, kill: (signal: NodeJS.Signals) => void child.kill(signal) };
  return { ...life, port: openPort(life, files) };
}

/**
 * Takes over a nats-server whose parent is gone. It is no child of this process, so it is watched by looking for it.
 *
 * @returns undefined if there is none on this folder. `sameProgram` says whether it is the program that would be started now.
 */
export async function findOrphan(binary: string, files: NatsFiles): Promise<{ process: NatsProcess; sameProgram: boolean } | undefined> {
  const pid = Number(await readFile(files.pid, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const identity = await identifyProcess(pid);
  if (!identity?.command.includes(` -c ${files.config}`)) return undefined;
  const exited = (async () => {
    while ((await identifyProcess(pid))?.startedAt === identity.startedAt) await sleep(100);
    return "it is gone";
  })();
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already.
    }
  };
  const life = { pid, exited, kill };
  return { process: { ...life, port: openPort(life, files) }, sameProgram: identity.command.startsWith(`${binary} -c `) };
}

/** Ends a process: asks first, and forces it when it has not ended in time. */
export async function endNats(nats: NatsProcess, graceMs: number): Promise<void> {
  nats.kill("SIGTERM");
  const timer = setTimeout(() => nats.kill("SIGKILL"), graceMs);
  await nats.exited;
  clearTimeout(timer);
}

/** Removes what a nats-server that did not end in order left behind. */
export async function sweepNatsFiles(files: NatsFiles): Promise<void> {
  for (const name of await readdir(files.folder)) {
    if (/^nats-server_\d+\.ports$/.test(name)) await rm(join(files.folder, name), { force: true });
  }
  await rm(files.pid, { force: true });
}

/** Waits for the file in which nats-server says its port; it writes it after the port is open. */
function openPort(life: Pick<NatsProcess, "pid" | "exited">, files: NatsFiles): Promise<number> {
  const opened = async () => {
    let gone: string | undefined;
    void life.exited.then((why) => {
      gone = why;
    });
    const deadline = performance.now() + startLimitMs;
    while (performance.now() < deadline) {
      const port = await readPort(files.ports(life.pid));
      if (port !== undefined) return port;
      if (gone !== undefined) throw new Error(`nats-server did not start (${gone}): ${await lastWords(files)}`);
      await sleep(10);
    }
    throw new Error(`nats-server did not open its port within ${startLimitMs / 1_000} s: ${await lastWords(files)}`);
  };
  const port = opened();
  // Whoever ends a process before it is ready need not look at this.
  port.catch(() => {});
  return port;
}

async function readPort(path: string): Promise<number | undefined> {
  try {
    const { nats } = JSON.parse(await readFile(path, "utf8")) as { nats: string[] };
    const port = Number(new URL(nats[0] ?? "").port);
    return port > 0 ? port : undefined;
  } catch {
    return undefined; // Not there yet, or half written.
  }
}

/** The end of what nats-server wrote, for a message about its end. */
export async function lastWords(files: NatsFiles): Promise<string> {
  const texts = await Promise.all([files.output, files.log].map((path) => readFile(path, "utf8").catch(() => "")));
  const lines = texts.flatMap((text) => text.trim().split("\n").slice(-3)).filter(Boolean);
  return lines.join(" | ");
}

/** The child inherits no secrets: only what finds programs and tunes the Go runtime. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    ["PATH", "HOME", "TMPDIR", "TZ", "GOMAXPROCS", "GOMEMLIMIT", "GOGC"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
