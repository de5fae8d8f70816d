import { readLockfile } from "../lockfile.mjs";
import { publishedPackages } from "../packages/published.mjs";

/** Licences that let anybody use, change and pass on what is under them, without a duty to publish what uses it. SPDX names. */
const permissive = new Set([
  "MIT",
  "MIT-0",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "0BSD",
  "BlueOak-1.0.0",
  "Python-2.0",
  "CC0-1.0",
  "Unlicense",
  "Zlib",
]);
/** Packages whose lock file entry names no licence, with the one that they have. */
const known = {};

/**
 * Packages that come with those that are published, on whatever platform, and are not under a permissive licence.
 *
 * @param {{ packages: Record<string, any> }} [lock] default: this repository's lock file
 * @param {string[]} [from] workspaces to begin with. Default: those that are published, and the rooms that they hold
 */
export function licences(lock = readLockfile(), from = publishedPackages.flatMap(({ home, rooms }) => [home, ...rooms])) {
  return [...dependenciesOf(lock, from)].sort().flatMap((path) => {
    const entry = lock.packages[path];
    const licence = entry.license ?? known[nameOf(path)];
    return isPermissive(licence) ? [] : [`${nameOf(path)} ${entry.version} is under ${licence ?? "a licence that package-lock.json does not name"}`];
  });
}

/** Paths of everything that the workspaces need at run time, directly or not. */
export function dependenciesOf({ packages }, workspaces) {
  const found = new Set();
  const pending = [...workspaces];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta = {} } = packages[path];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      const target = resolved(packages, path, name);
      if (target === undefined) {
        if (peerDependenciesMeta[name]?.optional) continue;
        throw new Error(`package-lock.json has no ${name}, which ${path} needs`);
      }
      // A workspace is checked by itself.
      if (packages[target].link || found.has(target)) continue;
      found.add(target);
      pending.push(target);
    }
  }
  return found;
}

/** True for one permissive licence, a choice that has one, or several that all are. */
export function isPermissive(expression) {
  if (typeof expression !== "string") return false;
  const choices = expression.replaceAll(/[()]/g, "").split(" OR ");
  return choices.some((choice) => choice.split(" AND ").every((name) => permissive.has(name)));
}

/** Where Node would find `name` from the package at `path`. */
function resolved(packages, path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(folder.lastIndexOf("/"), 0))) {
    const candidate = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[candidate] !== undefined) return candidate;
    if (folder === "") return undefined;
  }
}

function nameOf(path) {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}
