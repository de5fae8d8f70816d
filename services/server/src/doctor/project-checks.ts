import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadConfig, type Project, type WorkerBuild, WorkerBuildError } from "../worker-build/index.js";
import { type Finding, fail, ok, warn } from "./finding.js";

const sdkName = "@runlane/sdk";
const aliasName = "@trigger.dev/sdk";

/** A package as it is installed. */
export interface InstalledPackage {
  /** What its package.json calls itself; an alias is another name than the folder's. */
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

/** The package that code in `folder` gets by `name`; undefined if none is installed. */
export function installedPackage(folder: string, name: string): InstalledPackage | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, "node_modules", name);
    const file = join(candidate, "package.json");
    if (existsSync(file)) {
      const { name: itself = name, version = "unknown" } = JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string };
      return { name: itself, version, folder: candidate };
    }
    if (at === dirname(at)) return undefined;
  }
}

/** Whether the project has the SDK, and the command's version of it. */
export function sdkFinding(sdk: InstalledPackage | undefined, alias: InstalledPackage | undefined, own: string): Finding {
  const installed = sdk ?? (alias?.name === sdkName ? alias : undefined);
  if (installed === undefined) {
    return warn("not installed in this project; a worker takes the command's own copy, and a program that triggers tasks finds none", `npm install ${sdkName}`);
  }
  if (installed.version !== own) return warn(`${installed.version} in ${installed.folder}, while the command is ${own}`, `npm install ${sdkName}@${own}`);
  return ok(`${installed.version} in ${installed.folder}`);
}

/** What an import of `@trigger.dev/sdk` gets in this project. `imported` says that a task file does import it. */
export function aliasFinding(alias: InstalledPackage | undefined, imported: boolean): Finding {
  const advice = `npm install ${aliasName}@npm:${sdkName}, so that code written for Trigger.dev runs unchanged; or import ${sdkName}`;
  if (alias?.name === sdkName) return ok(`leads to ${sdkName}`);
  if (alias === undefined) return imported ? fail("task files import it, and it is not installed", advice) : ok("not used");
  const words = `it is Trigger.dev's own (${alias.version}), whose tasks Runlane does not see`;
  return imported ? fail(`task files import it, and ${words}`, advice) : warn(words, advice);
}

/** Whether the config, if there is one, can be loaded. */
export async function checkConfig({ configFile, folder }: Project): Promise<Finding> {
  if (configFile === undefined) return ok(`none; the project is ${folder}, and defaults apply`);
  try {
    await loadConfig(configFile);
    return ok(configFile);
  } catch (error) {
    return fail((error as Error).message, `mend ${configFile}`);
  }
}

/** Whether task files are there and can be built. `built` is the build, or why there is none. */
export function taskFilesFinding(built: WorkerBuild | WorkerBuildError): Finding {
  if (built instanceof WorkerBuildError) {
    // A program that only triggers tasks has none.
    if (/^there are no task files/.test(built.message)) return warn(built.message, "fine for a project that only triggers tasks; else name the folders");
    return fail(built.message, "mend the task files; runlane dev shows when it is done");
  }
  const { tasks } = built.manifest;
  const files = new Set(tasks.map(({ filePath }) => filePath)).size;
  return built.warnings.length > 0
    ? warn(built.warnings.join("; "), "remove these settings, or do not count on them")
    : ok(`${tasks.length} in ${files} ${files === 1 ? "file" : "files"}`);
}

/** True if one of the files imports `@trigger.dev/sdk`. */
export function importsAlias(files: readonly string[]): boolean {
  return files.some((file) => /["']@trigger\.dev\/sdk(\/v3)?["']/.test(readFileSync(file, "utf8")));
}
