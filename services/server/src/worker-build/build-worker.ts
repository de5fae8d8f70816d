import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { RunlaneConfig } from "@runlane/sdk";
import { keysWithoutEffect } from "@runlane/sdk/internal";
import { type ManifestTask, manifestTask, maxDurationSeconds, presetOf, secondsOption, type WorkerManifest } from "@runlane/sdk/worker";
import { type Bundle, buildsFolder, bundleSources } from "./bundle.js";
import { bundleSettings } from "./bundle-settings.js";
import { indexTasks, resolveSdk } from "./index-tasks.js";
import { type LoadedConfig, loadConfig } from "./load-config.js";
import { declarableSchemas } from "./payload-schemas.js";
import { findProject } from "./project.js";
import { sessionPrefix } from "./session-builds.js";
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
  /** Folder that builds are put into, which must lie in the `buildsFolder` of the project. Default: that itself, from which builds that nobody starts any more are removed. */
  readonly builds?: ((folder: string) => string) | undefined;
  /** The worker is for development, where a config may turn retries off. Default false. */
  readonly development?: boolean | undefined;
  /**
   * Variables that the worker will be started with, besides the environment of this process; asked for at each build. The config and the task files are loaded
   * with them, and with others it is another build. Default: none.
   */
  readonly variables?: (() => Record<string, string>) | undefined;
  /** Whoever starts the worker prints what attempts fail of, so its processes need not. Default false. */
  readonly quietFailures?: boolean | undefined;
}

/** A build that a worker can be started from. */
export interface WorkerBuild {
  readonly manifestFile: string;
  readonly manifest: WorkerManifest;
  /** See BuildOptions. */
  readonly variables: Readonly<Record<string, string>>;
  /** What the user should know of. */
  readonly warnings: readonly string[];
  /** The files that it was made from, the config's among them, absolute. */
  readonly inputs: readonly string[];
}

/**
 * Bundles the task files of a project, asks them which tasks they declare, and writes both down. The same sources give the same build, which is then found and not made again.
 *
 * @throws WorkerBuildError if what the user wrote does not allow it
 */
export function buildWorker(options: BuildOptions): Promise<WorkerBuild> {
  return new WorkerBuilder(options).build();
}

/** Builds the worker of a project again and again, and does only what has become necessary since the last time. */
export class WorkerBuilder {
  readonly #options: BuildOptions;
  #config: LoadedConfig | undefined;
  #last: WorkerBuild | undefined;

  constructor(options: BuildOptions) {
    this.#options = options;
  }

  /**
   * Builds it as the files are now. If that is the same as the last time, so is the manifest: the same object. One call at a time.
   *
   * @throws WorkerBuildError if what the user wrote does not allow it
   */
  async build(): Promise<WorkerBuild> {
    const { dirs, configFile, cwd, builds: buildsOf = buildsFolder, quietFailures, development } = this.#options;
    const named = dirs.map((dir) => resolve(cwd, dir));
    const project = findProject(named[0] ?? cwd, configFile === undefined ? undefined : resolve(cwd, configFile));
    const variables = this.#options.variables?.() ?? {};
    this.#config = project.configFile === undefined ? undefined : await loadConfig(project.configFile, this.#config, variables);
    const { config = {}, inputs: configInputs = [], hasHooks = false } = this.#config ?? {};
    const { folder } = project;
    const builds = buildsOf(folder);
    const sources = findTaskFiles({
      folder,
      dirs: named.length > 0 ? named : config.dirs?.map((dir) => resolve(folder, dir)),
      ignorePatterns: config.ignorePatterns,
    }).filter((file) => file !== project.configFile);
    const bundle = await bundleSources(folder, hasHooks ? [project.configFile!, ...sources] : sources, builds, bundleSettings(folder, config));
    const ineffective = keysWithoutEffect(config);
    const present = {
      variables,
      warnings: ineffective.length === 0 ? [] : [`${relative(cwd, project.configFile!)}: without effect so far: ${ineffective.join(", ")}`],
      inputs: [...bundle.inputs, ...configInputs],
    };
    const retriesEnabled = development && config.retries?.enabledInDev === false ? false : undefined;
    const settings = {
      project: config.project,
      defaultRetry: config.retries?.default,
      retriesEnabled,
      isolation: config.isolation,
      stallSeconds: config.stallTimeout,
      logLevel: config.logLevel,
      quietFailures,
      ...runtimeSettings(config),
    };
    const defaults = taskDefaults(config);
    const buildId = buildIdOf(bundle, { ...settings, ...defaults }, variables);
    const target = join(builds, buildId);
    const runnerEntry = resolveSdk(folder, "@runlane/sdk/worker/runner");
    const last = this.#last;
    const same = last?.manifest.buildId === buildId && dirname(last.manifestFile) === target && last.manifest.runnerEntry === runnerEntry;
    if (same && existsSync(last.manifestFile)) return (this.#last = { ...last, ...present });
    await store(bundle, target);
    const bundled = bundle.modules.map((module) => join(target, module));
    const [configModule, modules] = hasHooks ? [bundled[0], bundled.slice(1)] : [undefined, bundled];
    const indexed = await indexTasks(
      folder,
      modules,
      sources.map((source) => relative(cwd, source)),
      { env: variables, conditions: config.build?.conditions },
    );
    const { tasks, warnings } = declarableSchemas(indexed.tasks);
    if (tasks.length === 0) throw new WorkerBuildError(`the task files declare no task: ${sources.map((source) => relative(cwd, source)).join(", ")}`);
    const manifest: WorkerManifest = {
      formatVersion: 1,
      buildId,
      modules,
      configModule,
      runnerEntry,
      tasks: tasks.map((task) => manifestTask(task, { ...settings, ...defaults })),
      ...settings,
      queues: indexed.queues,
      concurrencyLimits: indexed.concurrencyLimits,
    };
    const manifestFile = join(target, "manifest.json");
    await replace(manifestFile, JSON.stringify(manifest));
    if (builds === buildsFolder(folder)) await removeOld(builds, target);
    return (this.#last = { manifestFile, manifest, ...present, warnings: [...present.warnings, ...warnings] });
  }
}

/** What a config says of how its code is run, beside retries and isolation; nothing of what is as by default. */
function runtimeSettings({ build, disableConsoleInterceptor }: RunlaneConfig): Pick<WorkerManifest, "conditions" | "plainOutput"> {
  return { conditions: build?.conditions, plainOutput: disableConsoleInterceptor === true ? true : undefined };
}

/** Names the content of a build: its code, what the config says of how to run it, and the variables that it is given. */
function buildIdOf({ hash }: Bundle, settings: Partial<WorkerManifest>, variables: object): string {
  const { quietFailures: _, ...identifying } = settings;
  const said = JSON.stringify({ ...identifying, variables: Object.keys(variables).length === 0 ? undefined : variables });
  return said === "{}" ? hash : createHash("sha256").update(`${hash} ${said}`).digest("hex").slice(0, hash.length);
}

/** What the config says for tasks that do not. @throws WorkerBuildError if it makes no sense */
function taskDefaults({ machine, maxDuration, stallTimeout, retries, ttl }: RunlaneConfig): Pick<ManifestTask, "machine" | "maxDuration" | "ttl"> {
  try {
    const larger = retries?.default?.outOfMemory?.machine;
    if (larger !== undefined) presetOf("config: retries.default.outOfMemory.machine", larger);
    if (stallTimeout !== undefined && !(stallTimeout > 0)) throw new Error("config: stallTimeout is a number of seconds above 0");
    return {
      machine: machine === undefined ? undefined : presetOf("config: machine", machine),
      maxDuration: maxDuration === undefined ? undefined : maxDurationSeconds("config", maxDuration),
      ttl: ttl === undefined ? undefined : secondsOption("config: ttl", ttl),
    };
  } catch (error) {
    throw new WorkerBuildError((error as Error).message, { cause: error });
  }
}

/**
 * Writes a bundle, unless it is there: workers that run may read it at any time. One of the same content may be there under other names, since esbuild's follow the source maps, too: a comment moves
 * lines. Then what is missing is put beside it.
 */
async function store({ files }: Bundle, target: string): Promise<void> {
  if (existsSync(target)) {
    for (const [path, bytes] of files) if (!existsSync(join(target, path))) await replace(join(target, path), bytes);
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

async function replace(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}-${process.pid}`, content);
  await rename(`${file}-${process.pid}`, file);
}

async function removeOld(builds: string, present: string): Promise<void> {
  for (const name of await readdir(builds)) {
    const build = join(builds, name);
    // A session of `runlane dev` looks after its own.
    if (build === present || name.startsWith(sessionPrefix)) continue;
    if (Date.now() - (await stat(build)).mtimeMs > keepMs) await rm(build, { recursive: true, force: true });
  }
}
