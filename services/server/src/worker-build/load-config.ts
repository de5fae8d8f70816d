import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RunlaneConfig } from "@runlane/sdk";
import { configHookKinds } from "@runlane/sdk/internal";
import { askNode } from "./ask-node.js";
import { type Bundle, buildsFolder, bundleSources } from "./bundle.js";
import { WorkerBuildError } from "./worker-build-error.js";

// Says what a config exports by default, as far as JSON can; of the rest (hooks, plugins) only that it is there.
const program = `
  import { writeSync } from "node:fs";
  const { default: config, handleError } = await import(process.argv[1]);
  const plain = {};
  for (const [key, value] of Object.entries(config ?? {})) {
    let json;
    try { json = JSON.stringify(value); } catch {}
    if (value !== undefined) plain[key] = json === undefined ? true : JSON.parse(json);
  }
  const answer = { config: plain, handlesErrors: typeof handleError === "function" };
  writeSync(3, JSON.stringify(typeof config === "object" && config !== null ? answer : null));
  process.exit(0);
`;

/** A config as its file exports it. */
export interface LoadedConfig {
  readonly config: RunlaneConfig;
  /** It brings hooks, so a worker must load it. */
  readonly hasHooks: boolean;
  /** Content hash of its code, and of the variables that it was run with. */
  readonly hash: string;
  /** The files that it is made of, absolute. */
  readonly inputs: readonly string[];
}

/**
 * Runs a config file, and returns what it exports by default. `before` is what it was at an earlier time: the same code is not run again with the
 * same variables, which are added to the environment.
 *
 * @throws WorkerBuildError if it cannot be built or run, or exports no config
 */
export async function loadConfig(configFile: string, before?: LoadedConfig, variables: Record<string, string> = {}): Promise<LoadedConfig> {
  const folder = dirname(configFile);
  const bundle = await bundleSources(folder, [configFile]);
  const hash = `${bundle.hash} ${createHash("sha256").update(JSON.stringify(variables)).digest("hex")}`;
  return { ...(hash === before?.hash ? before : await runConfig(configFile, bundle, variables)), hash, inputs: bundle.inputs };
}

async function runConfig(
  configFile: string,
  { hash, files, modules }: Bundle,
  variables: Record<string, string>,
): Promise<Pick<LoadedConfig, "config" | "hasHooks">> {
  const folder = dirname(configFile);
  const target = join(buildsFolder(folder), `config-${hash}-${process.pid}`);
  try {
    for (const [path, bytes] of files) {
      await mkdir(dirname(join(target, path)), { recursive: true });
      await writeFile(join(target, path), bytes);
    }
    const module = pathToFileURL(join(target, modules[0]!)).href;
    const { answer, words, end } = await askNode(folder, ["--input-type=module", "-e", program, module], variables);
    if (answer === "") throw new WorkerBuildError(`${configFile} cannot be loaded: its process ended ${end}\n${words}`.trimEnd());
    const said = JSON.parse(answer) as { config: RunlaneConfig; handlesErrors: boolean } | null;
    if (said === null) throw new WorkerBuildError(`${configFile} exports no config. It should say: export default defineConfig({ … });`);
    return { config: said.config, hasHooks: said.handlesErrors || configHookKinds.some((kind) => said.config[kind] !== undefined) };
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}
