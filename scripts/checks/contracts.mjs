import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../command.mjs";
import { root } from "../repository.mjs";

/** The contracts as they were published last, for `buf breaking`. `npm run proto:baseline` writes it anew. */
export const baseline = join(root, "proto", "baseline.binpb");

const templates = ["buf.gen.yaml", "buf.gen.sdk.yaml"];
const generatedFolders = ["services/platform/gen", "sdk-ts/gen"];

/** Problems that `buf lint` and `buf format` find. */
export async function contractStyle() {
  return [...(await problems("buf", ["lint"])), ...(await problems("buf", ["format", "--diff", "--exit-code", "proto"]))];
}

/**
 * Changes since the baseline that would break somebody. Published contracts must not break generated code (FILE: WIRE_JSON alone lets whole RPCs vanish); the
 * internal ones must keep old log records readable and old and new services talking (WIRE_JSON).
 */
export async function contractChanges() {
  if (!existsSync(baseline)) return ["proto/baseline.binpb is missing; npm run proto:baseline writes it"];
  return await inTemporaryFolder(async (folder) => {
    const image = join(folder, "now.binpb");
    const built = await problems("buf", ["build", "--output", image]);
    if (built.length > 0) return built;
    const against = (use, path) =>
      problems("buf", ["breaking", image, "--against", baseline, "--path", path, "--config", JSON.stringify({ version: "v2", breaking: { use: [use] } })]);
    return [...(await against("FILE", "runlane/v1")), ...(await against("WIRE_JSON", "runlane/internal/v1"))];
  });
}

/** Generated files that are not what the contracts generate now. */
export async function generatedCode() {
  return await inTemporaryFolder(async (folder) => {
    for (const template of templates) {
      const failed = await problems("buf", ["generate", "--template", template, "--output", folder]);
      if (failed.length > 0) return failed;
    }
    const stale = await Promise.all(generatedFolders.map((generated) => differences(join(folder, generated), join(root, generated), generated)));
    return stale.flat().map((file) => `${file} is not what the contracts generate; npm run generate writes it`);
  });
}

async function differences(wanted, present, name) {
  const files = new Set([...(await filesOf(wanted)), ...(await filesOf(present))]);
  const read = (folder, file) => readFile(join(folder, file), "utf8").catch(() => undefined);
  const differing = await Promise.all([...files].map(async (file) => ((await read(wanted, file)) === (await read(present, file)) ? [] : [join(name, file)])));
  return differing.flat().sort();
}

async function filesOf(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

async function problems(program, args) {
  const { code, output } = await command(program, args);
  return code === 0 ? [] : [output.trim() || `${program} ${args[0]} failed`];
}

async function inTemporaryFolder(use) {
  const folder = await mkdtemp(join(tmpdir(), "runlane-contracts-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
