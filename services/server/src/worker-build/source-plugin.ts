import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { ImportKind, Loader, Plugin, PluginBuild } from "esbuild";
import { isExternal } from "./bundle-settings.js";

const loaders: Record<string, Loader> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
  ".jsx": "jsx",
};

/** What a source file may ask of itself, by what it is defined as; the values are written into each file that asks. */
export const fileDefines: Record<string, string> = {
  "import.meta.url": "__runlaneFileUrl",
  "import.meta.filename": "__runlaneFilename",
  "import.meta.dirname": "__runlaneDirname",
  __filename: "__runlaneFilename",
  __dirname: "__runlaneDirname",
};

/** Key of the global function that an index of tasks puts there: see `taskFileHook` of the SDK. */
const hook = 'globalThis[Symbol.for("runlane.task-file")]';

/**
 * How sources become bundles.
 *
 * - Packages stay outside, and are resolved by Node from where the bundle lies, which is inside the project. A package of the workspace whose entry is TypeScript, which Node could not
 *   load, is bundled; so are path aliases.
 * - What `external` names stays outside, whatever it is.
 * - Each source file says its name when it is evaluated, so that an index of tasks can tell which file declares what.
 * - `import.meta.url`, `__dirname` and their like are those of the source file, not of the bundle.
 */
export function sourcePlugin(folder: string, external?: readonly string[]): Plugin {
  return {
    name: "runlane-sources",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async (args) => {
        if (isExternal(args.path, external)) return { path: args.path, external: true };
        if (args.pluginData?.resolved || args.kind === "entry-point" || args.path.startsWith("node:")) return undefined;
        return resolvePackage(build, args.path, args.resolveDir, args.importer, args.kind);
      });
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
        if (path.includes(`${sep}node_modules${sep}`)) return undefined;
        const text = await readFile(path, "utf8");
        // On the first line, so that line numbers stay; a file that begins with "#!" is a program, not a task file.
        return { contents: text.startsWith("#!") ? text : preface(folder, path, text) + text, loader: loaders[extname(path)]! };
      });
    },
  };
}

type Resolution = { path: string; external?: boolean } | undefined;

async function resolvePackage(build: PluginBuild, path: string, resolveDir: string, importer: string, kind: ImportKind): Promise<Resolution> {
  const resolved = await build.resolve(path, { resolveDir, importer, kind, pluginData: { resolved: true } });
  const isSource = resolved.errors.length === 0 && !resolved.external && resolved.namespace === "file" && !resolved.path.includes(`${sep}node_modules${sep}`);
  if (isSource && (/\.[cm]?tsx?$/.test(resolved.path) || !isInstalled(path, resolveDir))) return { path: resolved.path };
  // A project need not have installed the SDK: the command's own serves.
  if (resolved.errors.length > 0 && /^@runlane\/sdk(\/|$)/.test(path)) return { path: createRequire(import.meta.url).resolve(path), external: true };
  return { path, external: true };
}

/** True if `path` names a package in some node_modules, and not an alias of the project. */
function isInstalled(path: string, from: string): boolean {
  const name = path.split("/", path.startsWith("@") ? 2 : 1).join("/");
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "node_modules", name))) return true;
    if (dirname(folder) === folder) return false;
  }
}

function preface(folder: string, path: string, text: string): string {
  const name = relative(folder, path).split(sep).join("/");
  const values: Record<string, string> = { __runlaneFileUrl: pathToFileURL(path).href, __runlaneFilename: path, __runlaneDirname: dirname(path) };
  const asked = new Set(Object.entries(fileDefines).flatMap(([asks, variable]) => (text.includes(asks) ? [variable] : [])));
  const constants = [...asked].map((variable) => `const ${variable} = ${JSON.stringify(values[variable])}; `);
  return `${constants.join("")}${hook}?.(${JSON.stringify(name)}); `;
}
