import { execFileSync } from "node:child_process";
import { resolve } from "node:path";

/** The repository's folder. */
export const root = resolve(import.meta.dirname, "..");

/** Files that git tracks or would track, relative to the root; those under `paths` only, if given. */
export function trackedFiles(...paths) {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ...paths], { cwd: root, encoding: "utf8" });
  return listed.split("\0").filter(Boolean);
}
