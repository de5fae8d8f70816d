import { dirname, relative, resolve } from "node:path";
import { launchWorker } from "@runlane/sdk/worker";
import {
  developmentCapacity,
  developmentEnvFiles,
  developmentVariables,
  findProject,
  readEnvFile,
  SessionBuilds,
  type WorkerBuild,
  WorkerBuildError,
  WorkerBuilder,
} from "../worker-build/index.js";
import { attemptLines, clockTime } from "./attempt-lines.js";
import { Generations, mostOldGenerations } from "./generations.js";
import { findOrStartServer, type LocalServerOptions } from "./local-server.js";
import { SourceWatch } from "./source-watch.js";

/** Builds in a row that are not used because a file was written meanwhile, at most. */
const mostPassedOver = 5;

/** How to develop. */
export interface DevOptions extends LocalServerOptions {
  /** Folders with task files, or files. Empty: the config's `dirs`, else all folders of the project named `trigger`. */
  readonly dirs: readonly string[];
  /** Config file. Default: the nearest runlane.config.ts or trigger.config.ts upward from the first of `dirs`, else from `cwd`. */
  readonly configFile?: string | undefined;
  /** Attempts at once. Default 100. */
  readonly concurrency?: number | undefined;
  /** File with variables for the tasks, relative to `cwd`. Default: .env, .env.development, .env.local, .env.development.local and dev.vars in the project's folder, as far as they are there. */
  readonly envFile?: string | undefined;
  readonly screen: DevScreen;
}

/** Where a session shows what happens. */
export interface DevScreen {
  /** Events as objects instead of lines, for programs. */
  readonly json: boolean;
  readonly colors: boolean;
  /** Takes what happens: one line, or several. */
  show(text: string): void;
}

/**
 * Develops a project until `signal` is aborted: a server, a worker, and a new version of it after each save that changes something. Leaves no process and no build behind.
 *
 * @returns false if the server refused the worker, which has said why on stderr
 * @throws WorkerBuildError if there is no project to watch
 * @throws Error if no server is found or can be started
 */
export async function runDev(options: DevOptions): Promise<boolean> {
  const { dirs, configFile, cwd, screen, env } = options;
  const project = findProject(resolve(cwd, dirs[0] ?? "."), configFile === undefined ? undefined : resolve(cwd, configFile));
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const say = (event: Record<string, unknown>, line: string) => screen.show(screen.json ? JSON.stringify(event) : line);
  const builds = new SessionBuilds();
  const envFiles = developmentEnvFiles(project.folder, options.envFile, cwd);
  if (options.envFile !== undefined) readEnvFile(envFiles[0]!);
  const variables = () => developmentVariables(envFiles, env);
  const builder = new WorkerBuilder({ dirs, configFile, cwd, variables, builds: (folder) => builds.in(folder), development: true, quietFailures: true });
  const watch = new SourceWatch((error) => say({ event: "watchFailed", message: error.message }, `some changes may not be seen: ${error.message}`));
  // The first build takes about as long as a server.
  const first = attempt(builder);
  const server = await findOrStartServer(options).catch(async (error: unknown) => {
    await Promise.all([first, watch.close()]);
    builds.remove();
    throw error;
  });

  let refused = false;
  let changedAt: number | undefined;
  const generations = new Generations({
    launch: ({ manifest, manifestFile, variables }, hooks) =>
      launchWorker({
        manifestFile,
        cwd,
        concurrency: options.concurrency,
        capacity: developmentCapacity(manifest.tasks),
        env: { ...variables, ...server.workerEnv },
        ...hooks,
      }),
    onVersion(version, { manifest }) {
      const files = new Set(manifest.tasks.map((task) => task.filePath)).size;
      const tookMs = changedAt === undefined ? undefined : Math.round(performance.now() - changedAt);
      const took = tookMs === undefined ? "" : `, ${tookMs} ms after the change`;
      const event = { event: "version", version, buildId: manifest.buildId, tasks: manifest.tasks.map(({ id }) => id), tookMs };
      say(event, `${clockTime(new Date())} version ${version} takes new runs: ${count(manifest.tasks.length, "task")} in ${count(files, "file")}${took}`);
    },
    onAttempt(report, version, isOld) {
      const view = { folder: cwd, colors: screen.colors, oldVersion: isOld ? version : undefined };
      say({ ...report, version }, screen.json ? "" : attemptLines(report, new Date(), view));
    },
    onGivenUp(version, attempts) {
      const words = `version ${version} is older than ${mostOldGenerations} others that still run: ${count(attempts, "attempt")} of it start again with the present code`;
      say({ event: "givenUp", version, attempts }, words);
    },
    onRefused() {
      refused = true;
      stopping.abort();
    },
  });

  try {
    say(
      { event: "server", address: server.address, origin: server.origin },
      `Runlane at ${server.address}, ${server.origin}. Ctrl-C stops what was started here.`,
    );
    const root = relative(cwd, project.folder) || ".";
    const deep = dirs.length > 0 ? dirs.map((dir) => resolve(cwd, dir)) : [project.folder];
    const flat = foldersBetween(deep[0]!, project.folder);
    say({ event: "watching", folders: deep }, `watching ${dirs.length > 0 ? dirs.join(", ") : root}`);
    let build: WorkerBuild | undefined;
    let complaint = "";
    const warned = new Set<string>();
    for (let made = first, passedOver = 0; ; made = attempt(builder)) {
      const result = await made;
      if (signal.aborted) break;
      const failure = "failure" in result ? result.failure : undefined;
      const inputs = "build" in result ? result.build.inputs : (build?.inputs ?? []);
      watch.follow({ deep, flat, inputs, optional: envFiles, missing: failure?.missing ?? [], failed: failure !== undefined });
      // A file that was written while it was read may have been empty. Whoever saves without a break must not wait for ever, though.
      const outdated = watch.changedSince(result.startedAt);
      if (outdated && passedOver < mostPassedOver) {
        passedOver += 1;
        continue;
      }
      passedOver = 0;
      if ("build" in result) {
        if (complaint !== "" && build?.manifest.buildId === result.build.manifest.buildId) {
          say(
            { event: "built", buildId: build.manifest.buildId },
            `${clockTime(new Date())} it builds again, as it was; version ${generations.version} goes on`,
          );
        }
        build = result.build;
        complaint = "";
        for (const warning of build.warnings.filter((warning) => !warned.has(warning))) {
          warned.add(warning);
          say({ event: "warning", message: warning }, warning);
        }
        generations.use(build);
      } else if (result.failure.message !== complaint) {
        complaint = result.failure.message;
        const { version } = generations;
        const meanwhile = version === undefined ? "nothing runs until it is mended" : `version ${version} goes on`;
        say({ event: "buildFailed", message: complaint, version }, `${clockTime(new Date())} not built; ${meanwhile}:\n${indented(complaint)}`);
      }
      if (!outdated) changedAt = await watch.next(signal);
      if (signal.aborted) break;
      builds.keep(generations.folders);
    }
  } finally {
    await watch.close();
    await generations.stop();
    await server.stop();
    builds.remove();
  }
  return !refused;
}

type Attempted = { readonly startedAt: number } & ({ readonly build: WorkerBuild } | { readonly failure: WorkerBuildError });

/** Builds, and returns what the user has to mend. */
async function attempt(builder: WorkerBuilder): Promise<Attempted> {
  const startedAt = Date.now();
  try {
    return { startedAt, build: await builder.build() };
  } catch (error) {
    if (error instanceof WorkerBuildError) return { startedAt, failure: error };
    // A file that went away while it was read, say: the next change tells more.
    return { startedAt, failure: new WorkerBuildError(error instanceof Error ? (error.stack ?? error.message) : String(error), { cause: error }) };
  }
}

/** The folders from `from` upward to `to`, where a config may appear. */
function foldersBetween(from: string, to: string): string[] {
  const folders = [to];
  for (let folder = from; folder !== to && folder !== dirname(folder); folder = dirname(folder)) folders.push(folder);
  return folders;
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "         ");
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
