import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import { isSourceFile, sourcelessFolders } from "../worker-build/index.js";

/** Nothing must have changed for this long before a build begins, in milliseconds: editors write a file in several steps, and tools many files. */
const settleMs = 15;
/** A build begins after this long, even if changes go on. */
const atMostMs = 150;
/** A file's time may be this much earlier than the clock said when it was written: kernels stamp files by a coarser clock. */
const coarseMs = 5;

/** What decides on a build although nothing imports it. */
const decidingFile = /^((runlane|trigger)\.config\.[mc]?[jt]s|package\.json|[jt]sconfig[^/]*\.json)$/;

/** What is to be watched. All paths are absolute. */
export interface Watched {
  /** Folders with all that is below them, but for hidden folders and those that hold no sources. */
  readonly deep: readonly string[];
  /** Folders of which only the files themselves count. */
  readonly flat: readonly string[];
  /** Files that the last build was made from; their folders are watched, too. */
  readonly inputs: readonly string[];
  /** Files that a build reads if they are there. */
  readonly optional: readonly string[];
  /** Files that the last build has missed. */
  readonly missing: readonly string[];
  /** The last build has failed: any source file may be what mends it. */
  readonly failed: boolean;
}

/** Watches the sources of a project, and says when a build may give something new. */
export class SourceWatch {
  readonly #deep: FSWatcher;
  readonly #flat: FSWatcher;
  readonly #added = new Set<string>();
  #inputs: ReadonlySet<string> = new Set();
  #optional: ReadonlySet<string> = new Set();
  #failed = false;
  /** When the first change that was not told came. */
  #changedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};

  constructor(onError: (error: Error) => void) {
    const ignored = (path: string, stats?: { isFile(): boolean }) => this.#isIgnored(path, stats?.isFile() ?? false);
    this.#deep = watch([], { ignoreInitial: true, ignored });
    this.#flat = watch([], { ignoreInitial: true, ignored, depth: 0 });
    for (const watcher of [this.#deep, this.#flat]) {
      watcher.on("all", (event, path) => {
        if (this.#matters(event, path)) this.#changed();
      });
      // A second save within 50 ms of the first is no event of chokidar's any more, and formatters are quicker than that.
      watcher.on("raw", (_event, name, details) => {
        const { watchedPath } = details as { watchedPath: string };
        if ([watchedPath, join(watchedPath, name ?? "")].some((path) => this.#inputs.has(path) || this.#optional.has(path))) this.#changed();
      });
      watcher.on("error", (error) => onError(error as Error));
    }
  }

  /** Watches this from now on; what was watched before stays. */
  follow({ deep, flat, inputs, optional, missing, failed }: Watched): void {
    this.#failed = failed;
    this.#optional = new Set(optional);
    // After a failure nobody knows what the build would have read: what it read before still counts.
    this.#inputs = failed ? new Set([...this.#inputs, ...inputs]) : new Set(inputs);
    const isBelow = (path: string) => deep.some((folder) => path === folder || path.startsWith(folder + sep));
    this.#add(this.#deep, deep);
    const others = [...this.#inputs].filter((path) => !isBelow(path) || this.#isIgnoredBelow(path, deep));
    this.#add(this.#flat, [...flat, ...optional.map(nearestFolder), ...others.map(dirname), ...others, ...missing.map(nearestFolder)]);
  }

  /** Takes a look at the files themselves: true if one of those that the last build was made from was written after `time`, in milliseconds of the Unix epoch. */
  changedSince(time: number): boolean {
    for (const path of [...this.#inputs, ...this.#optional]) {
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats === undefined ? this.#inputs.has(path) && !this.#failed : stats.mtimeMs > time - coarseMs) return true;
    }
    return false;
  }

  /** Resolves when something has changed and has come to rest: with the time of the first change, by `performance.now()`. Undefined once `stop` is aborted. */
  async next(stop: AbortSignal): Promise<number | undefined> {
    if (!stop.aborted && (this.#changedAt === undefined || this.#timer !== undefined)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        stop.addEventListener("abort", this.#wakeUp);
      });
      stop.removeEventListener("abort", this.#wakeUp);
    }
    const changedAt = this.#changedAt;
    this.#changedAt = undefined;
    return stop.aborted ? undefined : changedAt;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.all([this.#deep.close(), this.#flat.close()]);
  }

  readonly #wakeUp = (): void => this.#wake();

  #add(watcher: FSWatcher, paths: Iterable<string>): void {
    for (const path of paths) {
      const key = `${watcher === this.#deep ? "deep" : "flat"} ${path}`;
      if (this.#added.has(key)) continue;
      this.#added.add(key);
      watcher.add(path);
    }
  }

  #changed(): void {
    const now = performance.now();
    this.#changedAt ??= now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#wakeUp();
      },
      Math.min(settleMs, Math.max(0, this.#changedAt + atMostMs - now)),
    );
  }

  #matters(event: string, path: string): boolean {
    if (this.#inputs.has(path) || this.#optional.has(path) || decidingFile.test(basename(path))) return true;
    // A new file may be a task file, or one that an import has missed; a changed one that nothing has read may only mend what is broken.
    return event === "add" ? this.#failed || isSourceFile(path) : this.#failed && (event === "addDir" || isSourceFile(path));
  }

  #isIgnored(path: string, isFile: boolean): boolean {
    if (this.#inputs.has(path) || this.#optional.has(path) || this.#added.has(`deep ${path}`) || this.#added.has(`flat ${path}`)) return false;
    const name = basename(path);
    return name.startsWith(".") || sourcelessFolders.has(name) || (isFile && !isSourceFile(name) && !name.endsWith(".json"));
  }

  /** True for a file below a folder that is watched deep, but within one that holds no sources. */
  #isIgnoredBelow(path: string, deep: readonly string[]): boolean {
    for (let folder = dirname(path); !deep.includes(folder) && folder !== dirname(folder); folder = dirname(folder))
      if (this.#isIgnored(folder, false)) return true;
    return false;
  }
}

/** The folder that a missing file should appear in, or the next one upward that is there. */
function nearestFolder(file: string): string {
  let folder = dirname(file);
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}
