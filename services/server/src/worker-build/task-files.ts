import { readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { globExpression } from "./glob.js";
import { WorkerBuildError } from "./worker-build-error.js";

const extensions = new Set([".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"]);
/** Folders that hold no sources. Hidden ones neither. */
export const sourcelessFolders: ReadonlySet<string> = new Set(["node_modules", "dist", "build", "out", "coverage"]);
/** Names of folders with task files, where nobody says otherwise. As in Trigger.dev. */
const taskFolder = "trigger";
const tests = ["**/*.{test,spec}.*", "**/__tests__/**"];

/** Where to look for task files. */
export interface TaskFileOptions {
  /** The project's folder. */
  readonly folder: string;
  /** Folders or files, absolute. Undefined: all folders of the project that are named `trigger`. */
  readonly dirs: readonly string[] | undefined;
  /** Patterns of files that are no task files, relative to the project. Default: tests. */
  readonly ignorePatterns?: readonly string[] | undefined;
}

/**
 * Finds the task files of a project, in a stable order; a file named `init` in one of the folders, not below it, comes first, as in Trigger.dev.
 *
 * @throws WorkerBuildError if there is none, or a folder that was named is missing
 */
export function findTaskFiles({ folder, dirs, ignorePatterns = tests }: TaskFileOptions): string[] {
  const roots = dirs ?? taskFolders(folder);
  const ignored = ignorePatterns.map(globExpression);
  const files = new Set<string>();
  for (const root of roots) {
    const status = statSync(root, { throwIfNoEntry: false });
    if (status === undefined) throw new WorkerBuildError(`there is no folder ${root}`);
    for (const file of status.isDirectory() ? filesBelow(root) : [resolve(root)]) {
      const path = relative(folder, file).split(sep).join("/");
      if (isSourceFile(file) && !ignored.some((pattern) => pattern.test(path))) files.add(file);
    }
  }
  if (files.size === 0) {
    const where = roots.length > 0 ? `in ${roots.join(", ")}` : `: ${folder} has no folder named "${taskFolder}"`;
    throw new WorkerBuildError(
      `there are no task files ${where}. Name their folders on the command line, or in "dirs" of runlane.config.ts.`.replace(" :", ":"),
    );
  }
  const isInit = (file: string) => /^init\.[cm]?[jt]sx?$/.test(basename(file)) && roots.includes(dirname(file));
  return [...files].sort((a, b) => Number(isInit(b)) - Number(isInit(a)) || (a < b ? -1 : 1));
}

/** True for the name of a file that holds code: TypeScript or JavaScript, and not declarations only. */
export function isSourceFile(file: string): boolean {
  return extensions.has(extname(file)) && !/\.d\.[cm]?ts$/.test(file);
}

function taskFolders(folder: string): string[] {
  return readFolders(folder).flatMap((child) => (basename(child) === taskFolder ? [child] : taskFolders(child)));
}

function filesBelow(folder: string): string[] {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return [...files.map((entry) => join(folder, entry.name)), ...readFolders(folder).flatMap(filesBelow)];
}

function readFolders(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !sourcelessFolders.has(entry.name))
    .map((entry) => join(folder, entry.name));
}
