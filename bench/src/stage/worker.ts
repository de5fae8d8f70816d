import { join } from "node:path";
import { descendantEntries } from "./process-table.js";
import { Program, repository, runlaneCommand } from "./program.js";

/** What attempts share: processes, or nothing. */
export type Isolation = "shared" | "process";

/** A worker, as `runlane worker` starts it, on the task files of this workspace: a launcher, a supervisor, runners. */
export class Worker {
  readonly program: Program;

  /** Starts a worker that takes `concurrency` attempts at once. Runs wait for it, so nobody else need. */
  constructor(env: Record<string, string>, concurrency: number, isolation: Isolation) {
    const bench = join(repository, "bench");
    const config = isolation === "process" ? ["--config", "src/isolated.config.ts"] : [];
    this.program = new Program("the worker", runlaneCommand, ["worker", "src/tasks", "--concurrency", String(concurrency), ...config], { cwd: bench, env });
  }

  /** Process id of its supervisor, which holds the session with the server. */
  supervisorPid(): number {
    const found = descendantEntries(this.program.pid).find((entry) => entry.command.includes("supervisor"));
    if (!found) throw new Error("the worker has no supervisor");
    return found.pid;
  }
}
