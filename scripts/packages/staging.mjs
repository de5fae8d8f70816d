import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "../repository.mjs";
import { publishedManifest, roomManifest } from "./manifest.mjs";
import { importFaults, roomSpecifiers } from "./specifiers.mjs";

/** What the compiler makes of a source file. */
const outputs = [".js", ".d.ts"];
const maps = [".js.map", ".d.ts.map"];
/** Sources that only tests use. */
const forTests = /\.(?:test|suite|fixture)\.ts$|(^|\/)testing\//;

/**
 * Writes a package, as it is to be published, into a folder. What was there is removed. The workspaces must have been built.
 *
 * Only what a present source file stands behind is taken: a build leaves the output of sources that are gone.
 *
 * @param {import("./published.mjs").PublishedPackage} published
 * @param {string} folder absolute
 * @throws {Error} if something is not built, or the package would import what it does not have
 */
export function stagePackage(published, folder) {
  const { home, rooms, bundles, withSources } = published;
  rmSync(folder, { recursive: true, force: true });
  const places = new Map(rooms.map((room) => [room, `rooms/${room.split("/").at(-1)}`]));
  const resolveRooms = roomSpecifiers(places);
  const compiled = [];

  /** Writes one file of the package. */
  const write = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  /** Takes over what a workspace was built to, and its generated contracts. */
  const take = (workspace, place) => {
    for (const source of filesBelow(join(root, workspace, "src"))) {
      if (!source.endsWith(".ts") || forTests.test(source)) continue;
      for (const suffix of withSources ? [...outputs, ...maps] : outputs) {
        const file = join(place, "dist", source.replace(/\.ts$/, suffix));
        write(file, resolveRooms(tidied(built(workspace, source, suffix), withSources), file));
        if (outputs.includes(suffix)) compiled.push(file);
      }
      if (withSources) write(join(place, "src", source), readFileSync(join(root, workspace, "src", source), "utf8"));
    }
    for (const file of filesBelow(join(root, workspace, "gen"))) write(join(place, "gen", file), readFileSync(join(root, workspace, "gen", file), "utf8"));
  };

  /** Takes over what a build has put beside that. */
  const takeBundle = (bundle) => {
    const files = bundle.endsWith("/") ? filesBelow(join(root, home, "dist", bundle.slice(0, -1))).map((file) => join(bundle, file)) : [bundle];
    if (!files.every((file) => existsSync(join(root, home, "dist", file))) || files.length === 0)
      throw new Error(`${home}/dist/${bundle} is not built; npm run build does it`);
    for (const file of files) {
      write(join("dist", file), readFileSync(join(root, home, "dist", file), "utf8"));
      compiled.push(join("dist", file));
    }
  };

  take(home, ".");
  for (const bundle of bundles) takeBundle(bundle);
  for (const [room, place] of places) {
    take(room, place);
    write(join(place, "package.json"), json(roomManifest(room)));
  }
  for (const file of filesBelow(join(root, home, "bin"))) write(join("bin", file), readFileSync(join(root, home, "bin", file), "utf8"));
  const manifest = publishedManifest(published, readdirSync(folder).sort());
  write("package.json", json(manifest));
  copyFileSync(join(root, home, "README.md"), join(folder, "README.md"));
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));

  const faults = compiled.flatMap((file) => importFaults({ folder, file, text: readFileSync(join(folder, file), "utf8"), manifest }));
  if (faults.length > 0) throw new Error(`${published.name} cannot be packed:\n${faults.join("\n")}`);
}

function built(workspace, source, suffix) {
  const file = join(root, workspace, "dist", source.replace(/\.ts$/, suffix));
  if (!existsSync(file)) throw new Error(`${workspace}/src/${source} is not built; npm run build does it`);
  return readFileSync(file, "utf8");
}

/** Without sources there is nothing that a source map could lead to. */
function tidied(text, withSources) {
  return withSources ? text : text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}
