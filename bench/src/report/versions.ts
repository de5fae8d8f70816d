import { execFileSync } from "node:child_process";
import type { ProcessEntry } from "../stage/process-table.js";
import { runlaneCommand } from "../stage/program.js";

/** What `runlane --version` says. */
export function runlaneVersion(): string {
  return execFileSync(process.execPath, [runlaneCommand, "--version"], { encoding: "utf8" }).trim();
}

/** What the nats-server among a server's processes says of itself. */
export function natsServerVersion(processes: readonly ProcessEntry[]): string {
  const program = processes.map((entry) => entry.command.split(" ")[0]!).find((path) => path.includes("nats-server"));
  if (program === undefined) throw new Error("the server has no nats-server");
  const said = execFileSync(program, ["--version"], { encoding: "utf8" });
  return /v?(\d+\.\d+\.\d+\S*)/.exec(said)?.[1] ?? said.trim();
}
