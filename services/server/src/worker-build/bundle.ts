import { createHash } from "node:crypto";
import { dirname, join, relative, resolve } from "node:path";
import { type BuildFailure, build, formatMessages, type OutputFile } from "esbuild";
import type { BundleSettings } from "./bundle-settings.js";
import { fileDefines, sourcePlugin } from "./source-plugin.js";
import { WorkerBuildError } from "./worker-build-error.js";

/** Bundles, not yet written. */
export interface Bundle {
  /** Content hash of the code. */
  readonly hash: string;
  /** Everything to be written, by path relative to the build's folder. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The bundles to load, in the order of the sources that they were made from. */
  readonly modules: readonly string[];
  /** The files that they were made from, absolute. */
  readonly inputs: readonly string[];
}

/** Folder of a project's builds. Inside the project, so that Node finds its packages from there; where tools keep what they may lose. */
export function buildsFolder(folder: string): string {
  return join(folder, "node_modules", ".cache", "runlane");
}

// esbuild's stand-in for `require`, which works if there is a global one.
const requireShim = "Dynamic require of";
const globalRequire = 'import { createRequire as __runlaneCreateRequire } from "node:module"; globalThis.require ??= __runlaneCreateRequire(import.meta.url); ';

/**
 * Bundles sources: an ES module for each, and shared ones, to be written into a folder of `builds`.
 *
 * @throws WorkerBuildError with esbuild's words, if they cannot be
 */
export async function bundleSources(folder: string, sources: readonly string[], builds = buildsFolder(folder), settings: BundleSettings = {}): Promise<Bundle> {
  // Every build lies as deep as this one, so the source maps' relative paths fit wherever it is put.
  const outdir = join(builds, "build");
  const result = await build({
    absWorkingDir: folder,
    entryPoints: [...sources],
    outdir,
    outbase: folder,
    entryNames: "[dir]/[name]-[hash]",
    chunkNames: "chunks/[name]-[hash]",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    jsx: "automatic",
    keepNames: true,
    sourcemap: "linked",
    sourcesContent: false,
    define: fileDefines,
    metafile: true,
    write: false,
    logLevel: "silent",
    plugins: [sourcePlugin(folder, settings.external)],
    ...settings.options,
  }).catch(async (error: BuildFailure | Error) => {
    throw new WorkerBuildError(await wordsOf(error), { missing: missingFiles(error, folder), cause: error });
  });
  const files = new Map(result.outputFiles.map((file) => [relative(outdir, file.path), withRequire(file)]));
  const moduleOf = new Map<string, string>();
  for (const [path, { entryPoint }] of Object.entries(result.metafile.outputs)) {
    if (entryPoint !== undefined) moduleOf.set(join(folder, entryPoint), relative(outdir, join(folder, path)));
  }
  const inputs = Object.keys(result.metafile.inputs).map((path) => resolve(folder, path));
  return { hash: hashOf(files, folder), files, modules: sources.map((source) => moduleOf.get(source)!), inputs };
}

/** esbuild's account of what is wrong, with the lines of the source. */
async function wordsOf(error: BuildFailure | Error): Promise<string> {
  if (!("errors" in error) || error.errors.length === 0) return error.message;
  const messages = await formatMessages(error.errors, { kind: "error", color: false });
  return `the task files cannot be built:\n\n${messages.join("\n").trimEnd()}`;
}

function missingFiles(error: BuildFailure | Error, folder: string): string[] {
  if (!("errors" in error)) return [];
  return error.errors.flatMap(({ text, location }) => {
    const path = /^Could not resolve "(\.[^"]*)"/.exec(text)?.[1];
    return path === undefined || location === null ? [] : [resolve(folder, dirname(location.file), path)];
  });
}

function withRequire(file: OutputFile): Uint8Array {
  return file.path.endsWith(".mjs") && file.text.includes(requireShim) ? Buffer.from(globalRequire + file.text) : file.contents;
}

/** The same code has the same hash on every machine: folders are not part of it, source maps and the names that esbuild gave neither. */
function hashOf(files: ReadonlyMap<string, Uint8Array>, folder: string): string {
  const nameless = (text: string) => text.replaceAll(/-[A-Z0-9]{8}(?=\.mjs)/g, "");
  const portable = (text: string) => nameless(text.replaceAll(folder, "").replaceAll(dirname(folder), "")).replace(/\n\/\/# sourceMappingURL=.*/, "");
  const texts = [...files].filter(([path]) => path.endsWith(".mjs")).map(([path, bytes]) => `${nameless(path)}\0${portable(Buffer.from(bytes).toString())}`);
  return createHash("sha256").update(texts.sort().join("\0")).digest("hex").slice(0, 32);
}
