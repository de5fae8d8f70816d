import type { ClientOptions, CommandContext } from "./command-context.js";
import { type ExitCode, exitCode } from "./exit-code.js";

/** Options of `runlane worker`. */
export interface WorkerCommandOptions extends ClientOptions {
  concurrency?: number;
  config?: string;
}

export async function workerCommand(_context: CommandContext, _dirs: string[], _options: WorkerCommandOptions): Promise<ExitCode> {
  return exitCode.defect;
}
