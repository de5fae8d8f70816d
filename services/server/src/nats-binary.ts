import { execFile } from "node:child_process";
import { access, constants, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

/** The oldest nats-server that Runlane runs on. */
export const oldestNatsServer = "2.14.4";

/** Where to look for nats-server. */
export interface NatsBinaryOptions {
  /** Path that somebody gave, say by --nats-server. Nothing else is looked at then. */
  path?: string | undefined;
  /** Default: the process's. */
  env?: NodeJS.ProcessEnv;
  /** Folder from which upward `.cache/nats-server` is looked for, where `npm start` of a checkout puts it. Default: this package's, so that of a project that has it installed. */
  from?: string;
}

/**
 * Finds nats-server: `path`, else RUNLANE_NATS_SERVER, else one on PATH that is new enough, else a copy in a `.cache` folder: of a checkout of Runlane or a project, then
 * the user's own. Installs nothing.
 *
 * @returns the absolute path of the program
 * @throws Error that says what was looked at, and what to do
 */
export async function findNatsBinary({ path, env = process.env, from = import.meta.dirname }: NatsBinaryOptions = {}): Promise<string> {
  const given = path ?? env.RUNLANE_NATS_SERVER;
  if (given) {
    const found = await examine(given);
    if (found.path === undefined) throw new Error(`${path ? "--nats-server" : "RUNLANE_NATS_SERVER"} ${given} cannot be used: ${found.fault}`);
    return found.path;
  }
  const faults: string[] = [];
  for (const candidate of [...onPath(env), ...cached(from), usersCopy(env)]) {
    const found = await examine(candidate);
    if (found.path !== undefined) return found.path;
    if (found.fault !== notThere) faults.push(`\n  - ${candidate}: ${found.fault}`);
  }
  throw new Error(
    [
      `nats-server ${oldestNatsServer} or newer is needed, and there is none on PATH.${faults.join("")}`,
      "Any one of these will do:",
      "  - put one on PATH: from https://github.com/nats-io/nats-server/releases, or by brew install nats-server,",
      "    or by go install github.com/nats-io/nats-server/v2@latest (into `go env GOPATH`/bin)",
      "  - name one with --nats-server or RUNLANE_NATS_SERVER",
      `  - put a copy at ${usersCopy(env)}`,
    ].join("\n"),
  );
}

/** A program that can be used, or why it can not. */
type Examined = { path: string; fault?: undefined } | { path?: undefined; fault: string };

const notThere = "it is not there";
const run = promisify(execFile);

async function examine(candidate: string): Promise<Examined> {
  try {
    await access(candidate, constants.X_OK);
  } catch (error) {
    return { fault: (error as NodeJS.ErrnoException).code === "ENOENT" ? notThere : "it may not be executed" };
  }
  try {
    const { stdout } = await run(candidate, ["--version"], { timeout: 10_000 });
    const version = /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (version === undefined) return { fault: `it answers --version with ${JSON.stringify(stdout.slice(0, 80))}` };
    if (isOlder(version, oldestNatsServer)) return { fault: `it is version ${version}, and ${oldestNatsServer} or newer is needed` };
    return { path: await realpath(candidate) };
  } catch (error) {
    return { fault: `it cannot be run: ${(error as Error).message}` };
  }
}

function* onPath(env: NodeJS.ProcessEnv): Generator<string> {
  for (const folder of (env.PATH ?? "").split(delimiter)) if (folder) yield join(folder, "nats-server");
}

const copy = join("nats-server", `${process.platform}-${process.arch}`, "nats-server");

function* cached(from: string): Generator<string> {
  for (let folder = from; ; folder = dirname(folder)) {
    yield join(folder, ".cache", copy);
    if (dirname(folder) === folder) return;
  }
}

function usersCopy(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "runlane", copy);
}

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(".").map(Number));
  const differing = [0, 1, 2].find((i) => a![i] !== b![i]);
  return differing !== undefined && a![differing]! < b![differing]!;
}
