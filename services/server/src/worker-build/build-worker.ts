import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { keysWithoutEffect } from "@runlane/sdk/internal";
import { defaultRetryOptions, type IndexedTask, type ManifestTask, type WorkerManifest } from "@runlane/sdk/worker";
import { type Bundle, buildsFolder, bundleSources } from "./bundle.js";
import { indexTasks, resolveSdk } from "./index-tasks.js";
import { loadConfig } from "./load-config.js";
import { findProject } from "./project.js";
import { findTaskFiles } from "./task-files.js";
import { WorkerBuildError } from "./worker-build-error.js";

/** Builds that nobody has started for this long are removed, in milliseconds. */
const keepMs = 7 * 24 * 60 * 60_000;

/** What to build. */
export interface BuildOptions {
  /** Folders with task files, or files. Empty: the config's `dirs`, else all folders named `trigger`. */
  readonly dirs: readonly string[];
  /** Config file. Default: the nearest one upward from the first of `dirs`, else from `cwd`. */
  readonly configFile?: string | undefined;
  /** Folder that `dirs` and `configFile` are relative to. */
  readonly cwd: string;
}

/** A build that a worker can be started from. */
export interface WorkerBuild {
  readonly manifestFile: string;
  readonly manifest: WorkerManifest;
  /** What the user should know of. */
  readonly warnings: readonly string[];
}

/**
 * Bundles the task files of a project, asks them which tasks they declare, and writes both down. The same sources give the same build, which is then found and not made again.
 *
 * @throws WorkerBuildError if what the user wrote does not allow it
 */
export async function buildWorker({ dirs, configFile, cwd }: BuildOptions): Promise<WorkerBuild> {
  const named = dirs.map((dir) => resolve(cwd, dir));
  const project = findProject(named[0] ?? cwd, configFile === undefined ? undefined : resolve(cwd, configFile));
  const config = project.configFile === undefined ? {} : await loadConfig(project.configFile);
  const { folder } = project;
  const sources = findTaskFiles({
    folder,
    dirs: named.length > 0 ? named : config.dirs?.map((dir) => resolve(folder, dir)),
    ignorePatterns: config.ignorePatterns,
  });
  const bundle = await bundleSources(folder, sources);
  const target = join(buildsFolder(folder), bundle.hash);
  await store(bundle, target);
  const modules = bundle.modules.map((module) => join(target, module));
  const tasks = await indexTasks(
    folder,
    modules,
    sources.map((source) => relative(cwd, source)),
  );
  if (tasks.length === 0) throw new WorkerBuildError(`the task files declare no task: ${sources.map((source) => relative(cwd, source)).join(", ")}`);
  const defaultRetry = config.retries?.default;
  const manifest: WorkerManifest = {
    formatVersion: 1,
    buildId: bundle.hash,
    modules,
    runnerEntry: resolveSdk(folder, "@runlane/sdk/worker/runner"),
    tasks: tasks.map((task) => manifestTask(task, defaultRetry?.maxAttempts)),
    defaultRetry,
    isolation: config.isolation,
    logLevel: config.logLevel,
  };
  const manifestFile = join(target, "manifest.json");
  await replace(manifestFile, JSON.stringify(manifest));
  await removeOld(buildsFolder(folder), target);
  const ineffective = keysWithoutEffect(config);
  const warnings = ineffective.length === 0 ? [] : [`${relative(cwd, project.configFile!)}: without effect so far: ${ineffective.join(", ")}`];
  return { manifestFile, manifest, warnings };
}

function manifestTask(task: IndexedTask, configAttempts: number | undefined): ManifestTask {
  const maxAttempts = (task.hasRetry ? task.maxAttempts : configAttempts) ?? defaultRetryOptions.maxAttempts;
  const { id, description, filePath, queue, concurrencyLimit, machine } = task;
  return { id, description, filePath, queue, concurrencyLimit, maxAttempts, machine };
}

/** Writes a bundle, unless it is there: workers that run may read it at any time. */
async function store({ files }: Bundle, target: string): Promise<void> {
  if (existsSync(target)) {
    await utimes(target, new Date(), new Date());
    return;
  }
  const making = `${target}-${process.pid}`;
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(making, path)), { recursive: true });
    await writeFile(join(making, path), bytes);
  }
  await rename(making, target).catch(async (error: NodeJS.ErrnoException) => {
    // Another worker has built the same.
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    await rm(making, { recursive: true });
  });
}

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}-${process.pid}`, text);
  await rename(`${file}-${process.pid}`, file);
}

async function removeOld(builds: string, present: string): Promise<void> {
  for (const name of await readdir(builds)) {
    const build = join(builds, name);
    if (build !== present && Date.now() - (await stat(build)).mtimeMs > keepMs) await rm(build, { recursive: true, force: true });
  }
}
