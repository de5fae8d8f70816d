import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.js";
import { temporaryFolder } from "./temporary-folder.js";

/** A system call that ended well. Positions say in which order calls began and ended, over all processes. */
export interface SystemCall {
  name: string;
  /** What strace says of it: arguments with the names of files and sockets, and data. */
  text: string;
  began: number;
  ended: number;
}

/** Why system calls cannot be traced here, or undefined if they can. */
export function tracingFault(): string | undefined {
  if (process.platform !== "linux") return "strace is for Linux";
  const { error, status, stderr } = spawnSync("strace", ["-o", "/dev/null", "true"], { encoding: "utf8" });
  if (error) return "strace is not installed";
  return status === 0 ? undefined : `strace does not work: ${stderr}`;
}

/** Traces what processes read, write and bring to the disk while `during` runs. */
export async function systemCalls(pids: number[], during: () => Promise<void>): Promise<SystemCall[]> {
  const file = join(temporaryFolder(), "trace");
  const calls = "trace=read,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range";
  const strace = spawn("strace", ["-f", "-yy", "-s", "2000", "-e", calls, "-o", file, ...pids.flatMap((pid) => ["-p", String(pid)])], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((settle) => strace.once("close", settle));
  let said = "";
  strace.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  try {
    await eventually("strace is attached", () => pids.every((pid) => said.includes(`Process ${pid} attached`)));
    await during();
  } finally {
    strace.kill("SIGINT");
    await ended;
  }
  return parse(readFileSync(file, "utf8"));
}

/** A call that another thread interrupts is two lines: "… <unfinished ...>" and "<... name resumed>…". */
function parse(trace: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const unfinished = new Map<string, { text: string; began: number }>();
  for (const [position, line] of trace.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/s.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(thread, { text: rest, began: position });
      continue;
    }
    const begun = rest.startsWith("<... ") ? unfinished.get(thread) : undefined;
    const text = `${begun?.text ?? ""}${rest}`;
    const name = /^\w+/.exec(text)?.[0];
    if (name && / = \d+$/.test(text)) calls.push({ name, text, began: begun?.began ?? position, ended: position });
  }
  return calls;
}
