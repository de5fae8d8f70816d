import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { missingEntries, readLockfile } from "../lockfile.mjs";
import { root, trackedFiles } from "../repository.mjs";

const mostLines = 400;
/** Files that may be longer, each with its reason. */
const longFiles = {};

const sources = () => trackedFiles("*.ts", "*.mjs").filter((file) => !/(^|\/)gen\//.test(file));
const read = (file) => readFileSync(join(root, file), "utf8");

/** Source files that have outgrown one noun. */
export function fileLengths() {
  return sources()
    .map((file) => ({ file, lines: read(file).split("\n").length - 1 }))
    .filter(({ file, lines }) => lines > mostLines && !(file in longFiles))
    .map(({ file, lines }) => `${file} has ${lines} lines; split it, or give the reason in scripts/checks/house.mjs`);
}

/**
 * Relative imports that leave their workspace. Biome knows which packages a room may import; this closes the way around it.
 */
export function imports() {
  const workspaces = JSON.parse(read("package.json")).workspaces;
  return sources().flatMap((file) => {
    const home = workspaces.find((workspace) => file.startsWith(`${workspace}/`)) ?? dirname(file).split("/")[0];
    return [...read(file).matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]*)"/g)]
      .map(([, specifier]) => specifier)
      .filter((specifier) => !relative(root, resolve(root, dirname(file), specifier)).startsWith(`${home}/`))
      .map((specifier) => `${file} imports ${specifier}, which is not in ${home}/`);
  });
}

/** Lock file entries that name a registry's host, and optional dependencies without an entry. */
export function lockfile() {
  const lock = readLockfile();
  const hosts = Object.entries(lock.packages).filter(([, entry]) => /^[a-z+]+:/.test(entry.resolved ?? ""));
  return [
    ...hosts.map(([path, entry]) => `package-lock.json: ${path} is resolved to ${entry.resolved}`),
    ...missingEntries(lock).map(([name]) => `package-lock.json has no entry for ${name}; npm run lockfile adds it`),
  ];
}

/** Places that name a folder of the machine that this runs on. */
export function machinePaths() {
  // A root or home that is also an ordinary word of paths ("/", "/root") says nothing.
  const folders = [dirname(root), homedir()].filter((folder) => folder.split("/").length > 2 || folder === "/work").map((folder) => `${folder}/`);
  return trackedFiles().flatMap((file) => {
    const text = read(file);
    return folders.filter((folder) => text.includes(folder)).map((folder) => `${file} names ${folder}`);
  });
}

/** Relative links in Markdown files that lead nowhere. */
export function links() {
  return trackedFiles("*.md").flatMap((file) =>
    [...read(file).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
      .map(([, target]) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(resolve(root, dirname(file), target)))
      .map((target) => `${file} links to ${target}, which is not there`),
  );
}

/** Differences between the catalogue of errors in the code and in docs/errors.md. */
export function errorCatalogue() {
  const snake = (name) => name.replace(/(?!^)([A-Z])/g, "_$1").toUpperCase();
  const inCode = new Map(
    [...read("services/platform/src/errors.ts").matchAll(/^ {2}([A-Z_]+): Code\.(\w+),/gm)].map(([, reason, code]) => [reason, snake(code)]),
  );
  const inDocs = new Map([...read("docs/errors.md").matchAll(/^\| `([A-Z_]+)` \| ([A-Z_]+) \|/gm)].map(([, reason, code]) => [reason, code]));
  return [
    ...[...inCode]
      .filter(([reason, code]) => inDocs.get(reason) !== code)
      .map(([reason, code]) => `docs/errors.md should say that ${reason} comes with ${code}`),
    ...[...inDocs.keys()].filter((reason) => !inCode.has(reason)).map((reason) => `docs/errors.md explains ${reason}, which nothing sends`),
  ];
}
