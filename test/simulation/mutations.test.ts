import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { repository } from "../support/program.js";
import { bundle, engineFolder, playAll } from "./bundle.js";

// A proof is worth what it finds. Each patch puts a mistake into the engine that neither the oracle nor the seeds know of; the same seeds must find it.
const patches = join(import.meta.dirname, "mutations");
const names = (await readdir(patches)).filter((name) => name.endsWith(".patch")).sort();
/** Seeds that are played until one fails. */
const seeds = 2_000;

const folder = await mkdtemp(join(tmpdir(), "runlane-mutations-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the engine with the mistake. */
async function patched(name: string): Promise<string> {
  const copy = join(folder, name);
  await mkdir(join(copy, engineFolder), { recursive: true });
  await cp(join(repository, engineFolder), join(copy, engineFolder), { recursive: true });
  await promisify(execFile)("git", ["apply", "-C1", join(patches, name)], { cwd: copy, env: { ...process.env, GIT_CEILING_DIRECTORIES: folder } }).catch(
    (error: { stderr?: string }) => {
      throw new Error(`mutations/${name} does not apply to the engine any more; make the same mistake where that code is now.\n${error.stderr ?? ""}`);
    },
  );
  return copy;
}

describe("a mistake in the engine is found", () => {
  it.concurrent.each(names)("%s", { timeout: 600_000 }, async (name) => {
    const text = await readFile(join(patches, name), "utf8");
    const program = await bundle(join(folder, `${name}.mjs`), await patched(name));
    const order = { seeds, commands: 60, failures: 1, brief: true };
    // What few histories meet is looked for first where it was found last; that may be elsewhere by now.
    const last = Number(/^Seed (\d+) meets it/m.exec(text)?.[1] ?? 0);
    const there = last > 0 ? (await playAll(program, { ...order, first: last, seeds: 1 }, 1)).failures : [];
    const [found] = there.length > 0 ? there : (await playAll(program, { ...order, first: 1 }, 1)).failures;
    expect(found, `nobody noticed in ${seeds} histories: ${text.split("\n")[0]}`).toBeDefined();
    process.stdout.write(`${name}: ${found?.split("\n")[0]}\n`);
  });

  it("of at least twelve kinds", () => {
    expect(names.length).toBeGreaterThanOrEqual(12);
  });
});
