import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../repository.mjs";

/**
 * A package that is published.
 *
 * @typedef {object} PublishedPackage
 * @property {string} name what it is called in the registry
 * @property {string} home its workspace
 * @property {string[]} rooms workspaces that it holds instead of depending on them: they are nobody's but its own
 * @property {string[]} bundles what a build has put into its `dist` besides what `src` was compiled to: files, and folders that end in "/"
 * @property {boolean} withSources whether the TypeScript sources come with it, so that stack traces and editors lead to them
 */

/** @type {PublishedPackage[]} */
export const publishedPackages = [
  { name: "@runlane/sdk", home: "sdk-ts", rooms: [], bundles: ["testing-kit.js", "testing-kit/"], withSources: true },
  {
    name: "runlane",
    home: "services/server",
    rooms: ["platform", "queue", "scheduler", "executor"].map((room) => `services/${room}`),
    bundles: [],
    withSources: false,
  },
];

/** The package.json of a workspace. */
export function manifestOf(workspace) {
  return JSON.parse(readFileSync(join(root, workspace, "package.json"), "utf8"));
}
