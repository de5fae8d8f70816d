import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildsFolder } from "./bundle.js";

/** Builds of a session are in a folder of this name and the id of its process. */
export const sessionPrefix = "session-";

/** The builds that one process makes for itself, one for each save: they go when nobody runs them any more, and at its end all of them. */
export class SessionBuilds {
  readonly #name = `${sessionPrefix}${process.pid}`;
  readonly #folders = new Set<string>();

  /** The folder for them, within a project. What is left of sessions that were killed is removed when it is first asked for. */
  in(folder: string): string {
    const builds = buildsFolder(folder);
    const mine = join(builds, this.#name);
    if (!this.#folders.has(mine)) {
      this.#folders.add(mine);
      if (existsSync(builds)) removeLeftOver(builds);
    }
    mkdirSync(mine, { recursive: true });
    return mine;
  }

  /** Removes all builds but those whose folders are given. Not to be called while one is being made. */
  keep(folders: ReadonlySet<string>): void {
    for (const mine of this.#folders) {
      if (!existsSync(mine)) continue;
      for (const name of readdirSync(mine)) if (!folders.has(join(mine, name))) rmSync(join(mine, name), { recursive: true, force: true });
    }
  }

  /** Removes all of them. */
  remove(): void {
    for (const mine of this.#folders) rmSync(mine, { recursive: true, force: true });
  }
}

function removeLeftOver(builds: string): void {
  for (const name of readdirSync(builds)) {
    if (name.startsWith(sessionPrefix) && !isAlive(Number(name.slice(sessionPrefix.length)))) rmSync(join(builds, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process lives, too.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
