import { command } from "../command.mjs";
import { pack } from "../pack.mjs";

let packed;
/** Paths of the tarballs, which are made once. */
export const tarballs = () => (packed ??= pack());

/** What publint finds wrong with the packages: fields of package.json, and files that they name. */
export async function publishing() {
  return await ofEach((tarball) => command("publint", [tarball, "--strict"]));
}

/** What "Are the types wrong?" finds: imports whose types and code do not belong together. The packages are ES modules, which Node 20.19 and newer also `require`. */
export async function typesOfPackages() {
  return await ofEach((tarball) => command("attw", [tarball, "--profile", "esm-only", "--format", "ascii", "--no-color", "--no-emoji"]));
}

async function ofEach(check) {
  const problems = [];
  for (const tarball of await tarballs()) {
    const { code, output } = await check(tarball);
    if (code !== 0) problems.push(output.trim());
  }
  return problems;
}
