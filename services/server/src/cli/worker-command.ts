import { resolve } from "node:path";
import { readEnvFile, runWorker, WorkerBuildError } from "../worker-build/index.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { CommandFailure, type ExitCode, exitCode } from "./exit-code.js";
import { stopSignals } from "./stop-signals.js";
import { workerCapacity } from "./worker-capacity.js";

/** Options of `runlane worker`. */
export interface WorkerCommandOptions extends ClientOptions {
  concurrency?: number;
  config?: string;
  envFile?: string[];
  machine?: string;
  cpus?: number;
  memory?: string;
}

/** `runlane worker [dirs...]`: runs tasks until SIGTERM or SIGINT, then finishes what it has begun. A second signal ends it at once. */
export async function workerCommand({ terminal }: CommandContext, dirs: string[], options: WorkerCommandOptions): Promise<ExitCode> {
  const signals = stopSignals();
  try {
    for (const file of options.envFile ?? []) addVariables(process.env, readEnvFile(resolve(file)));
    const code = await runWorker({
      dirs,
      configFile: options.config,
      concurrency: options.concurrency,
      capacity: workerCapacity(options),
      address: options.address,
      note: (line) => terminal.note(line),
      stop: signals.stop,
    });
    // The worker has said why on standard error.
    return code === 0 ? exitCode.ok : exitCode.noServer;
  } catch (error) {
    if (error instanceof WorkerBuildError) throw new CommandFailure(exitCode.cannotStart, error.message, { cause: error });
    throw error;
  }
}

/** Adds variables to an environment; what it has already stays. */
function addVariables(env: NodeJS.ProcessEnv, variables: Record<string, string>): void {
  for (const [name, value] of Object.entries(variables)) env[name] ??= value;
}
