import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

/** What a process said that ran user code. */
export interface NodeAnswer {
  /** What it wrote to pipe 3; empty if it did not come to that. */
  readonly answer: string;
  /** What it wrote to stderr. */
  readonly words: string;
  /** How it ended, for a sentence: "with exit code 1", "by SIGSEGV", "because it took longer than 60 s". */
  readonly end: string;
}

/** How long user code may take to load, in milliseconds. */
const atMostMs = 60_000;

/** Runs Node with `args` in `folder`, source maps on, and takes what it writes to pipe 3. `env` is added to the environment. User code is never run in this process: it may do anything. */
export async function askNode(folder: string, args: readonly string[], env: Record<string, string> = {}): Promise<NodeAnswer> {
  const child = spawn(process.execPath, ["--enable-source-maps", ...args], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, atMostMs);
  const ended = new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal === null ? `with exit code ${code}` : `by ${signal}`));
  });
  const [answer, words, end] = await Promise.all([text(child.stdio[3] as Readable), text(child.stderr!), ended]);
  clearTimeout(timer);
  return { answer, words, end: late ? `because it took longer than ${atMostMs / 1_000} s` : end };
}
