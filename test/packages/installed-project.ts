import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { CommandResult } from "../support/command-line.js";
import { Program, type ProgramOptions, repository } from "../support/program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { OnCleanUp } from "../support/test-server.js";

const execute = promisify(execFile);

/** The packages, as they are published. */
export interface Tarballs {
  sdk: string;
  runlane: string;
}

/** A project to make. */
export interface ProjectOptions {
  /** What its package.json says besides its name, given the paths of the tarballs. */
  manifest(tarballs: Tarballs): Record<string, unknown>;
  /** Its files, by path. */
  files: Record<string, string>;
  /** More arguments for `npm install`. */
  npmArgs?: string[];
  onCleanUp: OnCleanUp;
}

/** A project outside of the workspace, into which npm has installed Runlane from its tarballs, as from a registry. */
export class InstalledProject {
  readonly folder: string;
  readonly #onCleanUp: OnCleanUp;
  /** Where its commands find nats-server: that a machine has one is not what is tried here. */
  readonly #env: ProgramOptions["env"];

  private constructor(folder: string, onCleanUp: OnCleanUp) {
    this.folder = folder;
    this.#onCleanUp = onCleanUp;
    this.#env = {
      RUNLANE_NATS_SERVER: execFileSync(process.execPath, [join(repository, "scripts/nats-server.mjs")], { encoding: "utf8" }).trim(),
      RUNLANE_LISTEN: "127.0.0.1:0",
      RUNLANE_HTTP_LISTEN: "127.0.0.1:0",
    };
  }

  /** Packs, unless `npm test` has done so, writes the project, and installs. */
  static async install({ manifest, files, npmArgs = [], onCleanUp }: ProjectOptions): Promise<InstalledProject> {
    const parent = temporaryFolder(onCleanUp);
    const { sdk, runlane } = await tarballs(join(parent, "packages"));
    const project = new InstalledProject(join(parent, "app"), onCleanUp);
    project.write("package.json", JSON.stringify({ name: "app", private: true, ...manifest({ sdk, runlane }) }));
    for (const [path, text] of Object.entries(files)) project.write(path, text);
    const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", ...npmArgs];
    await execute("npm", args, { cwd: project.folder, env: npmEnvironment() });
    return project;
  }

  /** Writes a file of the project. */
  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Files of an installed package, by path; those of packages within it left out. */
  filesOf(name: string): string[] {
    const folder = join(this.folder, "node_modules", name);
    const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return entries.filter((path) => !/(^|\/)node_modules(\/|$)/.test(path));
  }

  /** The package.json of an installed package. */
  manifestOf(name: string): Record<string, unknown> {
    return JSON.parse(readFileSync(join(this.folder, "node_modules", name, "package.json"), "utf8"));
  }

  /** Starts the command `runlane` as the project has it. It is stopped at the end. */
  start(...args: string[]): Program {
    return this.#start(join(this.folder, "node_modules/.bin/runlane"), args);
  }

  /** Runs a program of the project with Node to its end. */
  async node(file: string): Promise<CommandResult> {
    return result(this.#start(join(this.folder, file), []));
  }

  /** Runs `runlane ...args` to its end, as a script of the project would. */
  async runlane(...args: string[]): Promise<CommandResult> {
    return result(this.start(...args));
  }

  /** Runs `npx runlane ...args` to its end. */
  async npx(...args: string[]): Promise<CommandResult> {
    const npx = execFileSync("which", ["npx"], { encoding: "utf8" }).trim();
    return result(this.#start(npx, ["--no-install", "runlane", ...args]));
  }

  /** What TypeScript has to say of `files`: everything is checked, also the declarations of packages. */
  async typeFaults(files: string[], module: "node16" | "nodenext" | "bundler"): Promise<string> {
    const options = { module: module === "bundler" ? "esnext" : module, moduleResolution: module, target: "es2022", strict: true, skipLibCheck: false };
    this.write("tsconfig.json", JSON.stringify({ compilerOptions: { ...options, noEmit: true, types: ["node"] }, files }));
    const checked = execute(join(repository, "node_modules/.bin/tsc"), ["-p", this.folder]);
    return checked.then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
  }

  #start(script: string, args: string[]): Program {
    const program = new Program(script, args, { cwd: this.folder, env: { ...npmEnvironment(), ...this.#env } });
    this.#onCleanUp(async () => void (await program.stop()));
    return program;
  }
}

/** Those that `npm test` has made and checked, in the environment as paths; else new ones, in `folder`. */
async function tarballs(folder: string): Promise<Tarballs> {
  const made = process.env.RUNLANE_TEST_PACKAGES;
  const pack = () => execute(process.execPath, [join(repository, "scripts/pack.mjs"), folder], { env: npmEnvironment() });
  const [sdk, runlane] = (made ? made.split(delimiter) : (await pack()).stdout.trim().split("\n")) as [string, string];
  return { sdk, runlane };
}

async function result(program: Program): Promise<CommandResult> {
  const code = await program.ended;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** The environment without what npm says of this repository to the scripts that it runs, which are these tests. */
function npmEnvironment(): Record<string, string | undefined> {
  const ofThisRepository = /^(npm_package_|npm_lifecycle_|npm_config_local_prefix$|npm_config_prefix$|npm_command$|INIT_CWD$)/;
  return Object.fromEntries(Object.keys(process.env).map((name) => [name, ofThisRepository.test(name) ? undefined : process.env[name]]));
}
