import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { WorkerBuildError } from "./worker-build-error.js";

/** Files with variables for development, as in Trigger.dev; of two that have the same variable the first counts. */
const developmentFiles = [".env.development.local", ".env.local", ".env.development", ".env", "dev.vars"];

/** Where the server is, and its key, a worker is told by whoever starts it: what a project's files say may be meant for somewhere else. */
const notFromFiles = new Set([
  "RUNLANE_ADDRESS",
  "RUNLANE_WORKER_ADDRESS",
  "RUNLANE_SECRET_KEY",
  "TRIGGER_API_URL",
  "TRIGGER_SECRET_KEY",
  "TRIGGER_ACCESS_TOKEN",
]);

/** The files that `runlane dev` reads variables from, absolute, the first one first; some may not be there. `envFile` is one that somebody named, relative to `cwd`: then it is the only one. */
export function developmentEnvFiles(folder: string, envFile: string | undefined, cwd: string): string[] {
  return envFile === undefined ? developmentFiles.map((name) => join(folder, name)) : [resolve(cwd, envFile)];
}

/** Variables for the code of tasks, from those of the files that are there. What `present` has, which is the environment of the process, they do not change. */
export function developmentVariables(files: readonly string[], present: NodeJS.ProcessEnv): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const file of files.filter((file) => existsSync(file))) {
    for (const [name, value] of Object.entries(readEnvFile(file))) {
      if (present[name] === undefined && !notFromFiles.has(name)) variables[name] ??= value;
    }
  }
  return variables;
}

/**
 * The variables of a file of lines like `NAME=value`, as Node reads it with `--env-file`.
 *
 * @throws WorkerBuildError if it cannot be read
 */
export function readEnvFile(file: string): Record<string, string> {
  try {
    return { ...parseEnv(readFileSync(file, "utf8")) } as Record<string, string>;
  } catch (error) {
    throw new WorkerBuildError(`the variables of ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
