// `npm run pack`: makes the tarballs that are published, `@runlane/sdk` and `runlane`, of what `npm run build` made, and prints their paths, a line each.
//
//   node scripts/pack.mjs [folder]     default: .cache/packages
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { npm } from "./command.mjs";
import { publishedPackages } from "./packages/published.mjs";
import { stagePackage } from "./packages/staging.mjs";
import { root } from "./repository.mjs";

/**
 * Packs everything that is published.
 *
 * @param {string} [folder] for the tarballs, and the folders that they were made of
 * @returns {Promise<string[]>} the tarballs, in the order of `publishedPackages`
 * @throws {Error} if something is not built, or npm refuses it
 */
export async function pack(folder = join(root, ".cache", "packages")) {
  const tarballs = [];
  for (const published of publishedPackages) {
    const staged = join(folder, published.home.split("/").at(-1));
    stagePackage(published, staged);
    mkdirSync(folder, { recursive: true });
    const { code, output } = await npm(["pack", staged, "--pack-destination", folder, "--json", "--loglevel=error"]);
    if (code !== 0) throw new Error(`npm pack failed for ${published.name}:\n${output}`);
    tarballs.push(join(folder, tarballName(published.name, output)));
  }
  return tarballs;
}

function tarballName(name, output) {
  const answer = JSON.parse(output);
  // A list until npm 11, then an object by name.
  const [{ filename }] = Array.isArray(answer) ? answer : [answer[name]];
  return filename;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    for (const tarball of await pack(process.argv[2] === undefined ? undefined : resolve(process.argv[2]))) console.log(tarball);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
