// `npm run lockfile`: completes package-lock.json after an `npm install`, so that `npm ci` works on every platform.
//
// npm leaves out an optional dependency (a platform's binary) that the registry in use does not have; `npm ci` then refuses the file. The entries written here
// have no integrity hash, because nothing was there to hash; npm takes the version that the parent package pins.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./repository.mjs";

const file = resolve(root, "package-lock.json");

/** Optional dependencies that some package of the lock file names and that have no entry: `[name, version, dev][]`. */
export function missingEntries(lock) {
  const missing = new Map();
  for (const parent of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      if (!lock.packages[`node_modules/${name}`]?.version) missing.set(name, { version, dev: parent.dev === true });
    }
  }
  return [...missing].map(([name, { version, dev }]) => [name, version, dev]);
}

/** What a platform's package may be installed on, read from its name: `…-darwin-arm64`, `…-linux-x64-musl`. */
export function platformOf(name) {
  const match = /[-/](android|darwin|freebsd|linux|openbsd|win32)-(arm64|armv7|arm|x64|ia32|ppc64|s390x|riscv64)(?:-(musl|gnu))?$/.exec(name);
  if (!match) throw new Error(`cannot tell the platform of ${name} from its name`);
  const [, os, cpu, libc] = match;
  return { os: [os], cpu: [cpu.replace("armv7", "arm")], libc: libc && [libc === "gnu" ? "glibc" : libc] };
}

/** Adds the missing entries, in npm's order. Returns the completed lock file. */
export function completed(lock) {
  const packages = { ...lock.packages };
  for (const [name, version, dev] of missingEntries(lock)) {
    const { os, cpu, libc } = platformOf(name);
    packages[`node_modules/${name}`] = { version, cpu, dev: dev || undefined, libc, optional: true, os };
  }
  const paths = Object.keys(packages).sort((a, b) => a.localeCompare(b, "en"));
  return { ...lock, packages: Object.fromEntries(paths.map((path) => [path, packages[path]])) };
}

/** The lock file as it stands. */
export function readLockfile() {
  return JSON.parse(readFileSync(file, "utf8"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, `${JSON.stringify(completed(readLockfile()), null, 2)}\n`);
