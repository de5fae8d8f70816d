import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { WorkerBuildError } from "./worker-build-error.js";

const configNames = ["runlane.config", "trigger.config"].flatMap((name) => [".ts", ".mts", ".js", ".mjs"].map((extension) => name + extension));

/** What a worker is built from. */
export interface Project {
  /** Its folder: the config's, else the nearest one upward with a package.json, else where the search began. */
  readonly folder: string;
  /** Its config, a file; undefined if there is none. */
  readonly configFile: string | undefined;
}

/**
 * Finds the project that `start`, a folder or file, belongs to. `configFile` is a config that somebody named.
 *
 * @throws WorkerBuildError if the config named is not there
 */
export function findProject(start: string, configFile?: string): Project {
  if (configFile !== undefined) {
    const file = resolve(configFile);
    if (!existsSync(file)) throw new WorkerBuildError(`there is no config ${file}`);
    return { folder: dirname(file), configFile: file };
  }
  const from = statSync(start, { throwIfNoEntry: false })?.isDirectory() ? resolve(start) : dirname(resolve(start));
  const config = upward(from, (folder) => configNames.map((name) => join(folder, name)).find((file) => existsSync(file)));
  if (config !== undefined) return { folder: dirname(config), configFile: config };
  const packageFile = upward(from, (folder) => [join(folder, "package.json")].find((file) => existsSync(file)));
  return { folder: packageFile === undefined ? from : dirname(packageFile), configFile: undefined };
}

function upward<T>(from: string, look: (folder: string) => T | undefined): T | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = look(folder);
    if (found !== undefined || dirname(folder) === folder) return found;
  }
}
