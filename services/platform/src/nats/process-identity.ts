import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";

/** What the operating system says of a process that lives. */
export interface ProcessIdentity {
  /** Program and arguments, joined with spaces. */
  readonly command: string;
  /** When it started, in the system's own words; with its id this names a process for ever. */
  readonly startedAt: string;
}

/** Looks a process up. Undefined if there is none with this id, or if it has ended and only waits for its parent to notice. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  return process.platform === "linux" ? await identifyByProc(pid) : await identifyByPs(pid);
}

/** Linux: small container images have no `ps`. */
async function identifyByProc(pid: number): Promise<ProcessIdentity | undefined> {
  const [stat, command] = await Promise.all([readFile(`/proc/${pid}/stat`, "utf8"), readFile(`/proc/${pid}/cmdline`, "utf8")]).catch(() => []);
  if (stat === undefined || command === undefined) return undefined;
  // "pid (name) state …": the name may hold anything, so count from its end. The 3rd field is the state, the 22nd the start in clock ticks since boot.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return undefined;
  return { command: command.split("\0").filter(Boolean).join(" "), startedAt: fields[19] ?? "" };
}

/** macOS and others. Exported for its test. */
export async function identifyByPs(pid: number): Promise<ProcessIdentity | undefined> {
  const options = { env: { ...process.env, LC_ALL: "C" } };
  const line = await new Promise<string>((resolve) => {
    execFile("ps", ["-ww", "-o", "stat=,lstart=,command=", "-p", String(pid)], options, (error, output) => resolve(error ? "" : output));
  });
  const [, state, startedAt, command] = /^\s*(\S+)\s+(\w+ +\w+ +\d+ +[\d:]+ +\d+)\s+(.*)$/m.exec(line) ?? [];
  if (state === undefined || startedAt === undefined || command === undefined || state.startsWith("Z")) return undefined;
  return { command, startedAt };
}
