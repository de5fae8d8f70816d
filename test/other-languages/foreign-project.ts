import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { Program, repository } from "../support/program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { OnCleanUp } from "../support/test-server.js";

const execute = promisify(execFile);
const runner = join(import.meta.dirname, "run.mjs");
/** Where buf is. */
const ownCommands = join(repository, "node_modules/.bin");

/** A project in another language, as somebody makes it who follows docs/other-languages.md: a folder beside a checkout of the contracts. */
export class ForeignProject {
  readonly folder: string;
  /** Added to the environment of its programs. */
  readonly env: Record<string, string>;

  /**
   * @param example folder of the repository whose files it begins with
   * @param tools folders with programs that it needs
   */
  constructor(
    example: string,
    { tools = [], env = {}, onCleanUp = onTestFinished }: { tools?: string[]; env?: Record<string, string>; onCleanUp?: OnCleanUp },
  ) {
    const parent = temporaryFolder(onCleanUp);
    for (const path of ["buf.yaml", "proto", "third_party"]) cpSync(join(repository, path), join(parent, "runlane", path), { recursive: true });
    this.folder = join(parent, "app");
    cpSync(join(repository, example), this.folder, { recursive: true });
    this.env = { PATH: [...tools, ownCommands, process.env.PATH].join(delimiter), ...env };
  }

  /** Generates code from the contracts by a template for buf. */
  async generate(template: string): Promise<void> {
    writeFileSync(join(this.folder, "buf.gen.yaml"), template);
    await this.execute("buf", ["generate"]);
  }

  /** Runs a program to its end. Rejects if it fails. */
  async execute(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
    await execute(command, args, { cwd: this.folder, env: { ...process.env, ...this.env, ...env } });
  }

  /** Starts a program, which is ended when the test has finished, if not before. */
  start(command: string, args: string[], env: Record<string, string>, onCleanUp: OnCleanUp = onTestFinished): Program {
    const program = new Program(runner, [command, ...args], { cwd: this.folder, env: { ...this.env, ...env } });
    onCleanUp(async () => void (await program.stop()));
    return program;
  }
}

/**
 * A folder under .cache/ that `fill` fills once: it gets an empty one, which becomes the cached one in one step. So two at the same time do not disturb
 * each other.
 *
 * @param content says what is in it, versions included
 */
export async function cachedFolder(name: string, content: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const cache = join(repository, ".cache/other-languages");
  const folder = join(cache, `${name}-${createHash("sha256").update(content).digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "install-"));
  try {
    await fill(fresh);
    if (!existsSync(folder)) renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}
