import { execFileSync } from "node:child_process";
import { delimiter, join, resolve } from "node:path";

/** The repository's folder. */
export const root = resolve(import.meta.dirname, "..");

/** The environment for programs that the scripts start: with the workspace's own commands on PATH, as in an npm script. */
export function scriptEnvironment(extra = {}) {
  return { ...process.env, PATH: `${join(root, "node_modules", ".bin")}${delimiter}${process.env.PATH ?? ""}`, ...extra };
}

/** Files that git tracks or would track, relative to the root; those that match one of `patterns` (git's pathspecs) only, if given. Deleted ones are left out. */
export function trackedFiles(...patterns) {
  const list = (...options) => {
    const listed = execFileSync("git", ["ls-files", "-z", ...options, "--", ...patterns], { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 });
    return listed.split("\0").filter(Boolean);
  };
  const deleted = new Set(list("--deleted"));
  return [...new Set(list("--cached", "--others", "--exclude-standard"))].filter((file) => !deleted.has(file));
}
