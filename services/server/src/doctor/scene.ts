import { resolve } from "node:path";
import { findDataFolder, readServerFile } from "@runlane/platform";
import { type DataFolder, parseServerAddress, readDataFolder } from "@runlane/sdk/internal";
import type { ServerConnection } from "../cli/command-context.js";
import { findProject, type Project, SessionBuilds, type WorkerBuild, WorkerBuildError, WorkerBuilder } from "../worker-build/index.js";
import { type Answer, ask, keySource, type Target, targetOf } from "./server-checks.js";

/** Where somebody wants to know what is wrong. */
export interface SceneOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly dirs: readonly string[];
  readonly configFile?: string | undefined;
  readonly address?: string | undefined;
  readonly data?: string | undefined;
  readonly natsServer?: string | undefined;
  /** Version of the command. */
  readonly version: string;
  connect(address: string): Promise<ServerConnection>;
}

/** What several checks look at; each fact is found out once, when it is first asked for. */
export class Scene {
  readonly options: SceneOptions;
  /** Of the data folder, which need not be there. */
  readonly dataPath: string;
  readonly dataFolder: DataFolder | undefined;
  readonly target: Target;
  readonly keySource: string | undefined;
  /** The process of the data folder's server; undefined if there is no trace of one. */
  readonly serverPid: number | undefined;
  #answer: Promise<Answer | Error> | undefined;
  #build: Promise<WorkerBuild | WorkerBuildError> | undefined;

  private constructor(options: SceneOptions, dataPath: string, serverPid: number | undefined) {
    this.options = options;
    this.dataPath = dataPath;
    const folder = readDataFolder(dataPath);
    this.dataFolder = folder;
    this.target = targetOf(options.address, options.env, folder);
    this.serverPid = serverPid;
    this.keySource = keySource(options.env, this.isLocal ? folder : undefined);
  }

  static async enter(options: SceneOptions): Promise<Scene> {
    const dataPath = await findDataFolder(options.data, options.cwd);
    const file = await readServerFile(dataPath).catch(() => undefined);
    return new Scene(options, dataPath, file?.pid);
  }

  /** The server is meant to run on this machine. */
  get isLocal(): boolean {
    try {
      return parseServerAddress(this.target.address).loopback;
    } catch {
      return false;
    }
  }

  /** @throws WorkerBuildError if a config was named that is not there */
  get project(): Project {
    const { cwd, dirs, configFile } = this.options;
    return findProject(resolve(cwd, dirs[0] ?? "."), configFile === undefined ? undefined : resolve(cwd, configFile));
  }

  /** What the server says, or what the call failed with. */
  answer(): Promise<Answer | Error> {
    this.#answer ??= this.#ask();
    return this.#answer;
  }

  /** The worker's build, which is removed again, or why there is none. */
  build(): Promise<WorkerBuild | WorkerBuildError> {
    this.#build ??= this.#tryBuild();
    return this.#build;
  }

  async #ask(): Promise<Answer | Error> {
    let server: ServerConnection | undefined;
    try {
      server = await this.options.connect(this.target.address);
      return await ask(server);
    } catch (error) {
      return error as Error;
    } finally {
      server?.close();
    }
  }

  async #tryBuild(): Promise<WorkerBuild | WorkerBuildError> {
    const { cwd, dirs, configFile } = this.options;
    const builds = new SessionBuilds();
    try {
      return await new WorkerBuilder({ cwd, dirs, configFile, builds: (folder) => builds.in(folder) }).build();
    } catch (error) {
      return error instanceof WorkerBuildError ? error : new WorkerBuildError(String(error), { cause: error });
    } finally {
      builds.remove();
    }
  }
}
