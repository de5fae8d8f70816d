import { existsSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path/posix";
import { manifestOf } from "./published.mjs";

/**
 * Makes the function that turns what a compiled file imports by name into relative paths of where the package holds it: its rooms, and the contracts as `#gen/…`, which
 * not every bundler finds, nor TypeScript under its old `moduleResolution`.
 *
 * @param {Map<string, string>} places folder within the package, by workspace of a room
 * @returns {(text: string, file: string) => string} for a file's text and its path within the package
 */
export function roomSpecifiers(places) {
  const rooms = [...places].map(([workspace, place]) => ({ place, ...manifestOf(workspace) }));
  return (text, file) => {
    const relativeTo = (path) => {
      const way = relative(dirname(file), path);
      return JSON.stringify(way.startsWith(".") ? way : `./${way}`);
    };
    let resolved = text;
    for (const { name, place, exports } of rooms) {
      const subpaths = new RegExp(`"${name}(/[^"]*)?"`, "g");
      resolved = resolved.replaceAll(subpaths, (_, subpath = "") => relativeTo(join(place, target(name, exports, `.${subpath}`))));
    }
    const own = rooms.find(({ place }) => file.startsWith(`${place}/`))?.place ?? ".";
    return resolved.replaceAll(/"#gen\/([^"]+)"/g, (_, contract) => relativeTo(join(own, "gen", contract)));
  };
}

function target(room, exports, subpath) {
  const exact = exports[subpath];
  if (exact !== undefined) return typeof exact === "string" ? exact : exact.default;
  for (const [pattern, to] of Object.entries(exports)) {
    if (!pattern.endsWith("*") || !subpath.startsWith(pattern.slice(0, -1))) continue;
    return to.replace("*", subpath.slice(pattern.length - 1));
  }
  throw new Error(`${room} exports no ${subpath}`);
}

/**
 * What is wrong with the imports of a compiled file: relative ones that lead to no file of the package, and packages that it does not depend on. What only some projects have
 * (peer dependencies) may be imported by a call.
 *
 * @param {{ folder: string, file: string, text: string, manifest: Record<string, any> }} compiled `file` within the package's `folder`
 * @returns {string[]}
 */
export function importFaults({ folder, file, text, manifest }) {
  const dependencies = [manifest.name, ...Object.keys(manifest.dependencies ?? {})];
  const callable = [...dependencies, ...Object.keys(manifest.peerDependencies ?? {})];
  return [...text.matchAll(/^(?:import |(?:import|export)\b[^"\n]* from )"([^"]+)";$|\bimport\("([^"]+)"\)/gm)]
    .map(([, declared, called]) => ({ specifier: declared ?? called, allowed: called === undefined ? dependencies : callable }))
    .filter(({ specifier, allowed }) => {
      if (specifier.startsWith("#")) return true;
      if (specifier.startsWith("node:") || builtinModules.includes(specifier)) return false;
      // A declaration leads to declarations: of a bundle there are several, and one file of code.
      if (specifier.startsWith(".")) return !existsSync(join(folder, dirname(file), file.endsWith(".d.ts") ? specifier.replace(/\.js$/, ".d.ts") : specifier));
      return !allowed.includes(specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"));
    })
    .map(({ specifier }) => `${file} imports ${specifier}, which the package does not have`);
}
