import { manifestOf } from "./published.mjs";

/** The condition under which exports lead to sources: for tests of this repository only. */
const sourceCondition = "@runlane/source";

/**
 * The package.json to publish: the workspace's, without what only matters in this repository, and with the dependencies of the rooms that the package holds.
 *
 * @param {import("./published.mjs").PublishedPackage} published
 * @param {string[]} files the folders that the package consists of
 * @returns {Record<string, any>}
 * @throws {Error} if two workspaces ask for different versions of the same package
 */
export function publishedManifest({ home, rooms }, files) {
  // Workspaces are private, so that none is published as it stands.
  const { private: _, devDependencies: __, exports, ...manifest } = manifestOf(home);
  const held = rooms.map(manifestOf);
  const names = new Set(held.map(({ name }) => name));
  const dependencies = new Map();
  for (const { name, dependencies: wanted = {} } of [manifest, ...held]) {
    for (const [dependency, version] of Object.entries(wanted)) {
      if (names.has(dependency)) continue;
      const before = dependencies.get(dependency);
      if (before !== undefined && before !== version)
        throw new Error(`${name} wants ${dependency} ${version}, and a neighbour ${before}; they go into one package`);
      dependencies.set(dependency, version);
    }
  }
  return {
    ...manifest,
    exports: withoutSources(exports),
    files,
    dependencies: Object.fromEntries([...dependencies].sort(([a], [b]) => (a < b ? -1 : 1))),
    publishConfig: { access: "public" },
  };
}

/** What remains of a room's package.json: what Node needs to load its modules, and its version, of which it tells. */
export function roomManifest(room) {
  const { version, type } = manifestOf(room);
  return { version, private: true, type };
}

function withoutSources(exports) {
  if (typeof exports !== "object" || exports === null) return exports;
  const kept = Object.entries(exports).filter(([key]) => key !== sourceCondition);
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutSources(value)]));
}
