import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { temporaryProject } from "../testing/temporary-project.js";
import { SourceWatch, type Watched } from "./source-watch.js";

/** A watch on a project that was built from trigger/a.ts and src/lib.ts. */
async function watchedProject(more: Partial<Watched> = {}) {
  const folder = temporaryProject({
    "trigger/a.ts": "1",
    "trigger/notes.md": "",
    "src/lib.ts": "1",
    "src/other.ts": "1",
    "dist/made.js": "1",
    "package.json": "{}",
  });
  const watch = new SourceWatch((error) => {
    throw error;
  });
  onTestFinished(() => watch.close());
  const follow = (watched: Partial<Watched> = {}) =>
    watch.follow({
      deep: [join(folder, "trigger")],
      flat: [folder],
      inputs: [join(folder, "trigger/a.ts"), join(folder, "src/lib.ts")],
      optional: [join(folder, ".env")],
      missing: [],
      failed: false,
      ...more,
      ...watched,
    });
  follow();
  const write = (path: string, text = String(Math.random())) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  // Watching begins some time after it was asked for: it does when a change of the file that decides is seen.
  const ready = async () => {
    for (let seen = false; !seen; ) {
      write("package.json", "{}");
      seen = await heard(watch, 1_000);
    }
    while (await heard(watch, 100));
  };
  await ready();
  return { folder, watch, follow, write, ready };
}

/** Whether something that matters is heard within a time. */
async function heard(watch: SourceWatch, within = 20_000): Promise<boolean> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), within);
  const at = await watch.next(stop.signal);
  clearTimeout(timer);
  return at !== undefined;
}

test("what the last build was made from matters wherever it lies, and so does a file that is saved by renaming", async () => {
  const { folder, watch, write } = await watchedProject();
  write("trigger/a.ts");
  expect(await heard(watch)).toBe(true);
  write("src/lib.ts");
  expect(await heard(watch)).toBe(true);
  write("src/.lib.ts.swap");
  renameSync(join(folder, "src/.lib.ts.swap"), join(folder, "src/lib.ts"));
  expect(await heard(watch)).toBe(true);
  rmSync(join(folder, "src/lib.ts"));
  expect(await heard(watch)).toBe(true);
});

test("a second save right after the first is heard, too", async () => {
  const { watch, write } = await watchedProject();
  for (let round = 0; round < 5; round += 1) {
    write("trigger/a.ts");
    expect(await heard(watch)).toBe(true);
  }
});

test("new task files matter, in new folders, too; other files do not", async () => {
  const { watch, write } = await watchedProject();
  write("trigger/b.ts");
  expect(await heard(watch)).toBe(true);
  write("trigger/deep/er/c.ts");
  expect(await heard(watch)).toBe(true);
  write("trigger/notes.md");
  write("trigger/out.log");
  write("trigger/.hidden/d.ts");
  write("src/other.ts");
  expect(await heard(watch, 400)).toBe(false);
});

test("a config or a tsconfig that appears matters", async () => {
  const { watch, write } = await watchedProject();
  write("runlane.config.ts");
  expect(await heard(watch)).toBe(true);
  write("tsconfig.build.json");
  expect(await heard(watch)).toBe(true);
});

test("a file that a build reads if it is there matters when it appears, changes and goes; its like do not", async () => {
  const { folder, watch, write } = await watchedProject();
  write(".env.other");
  expect(await heard(watch, 400)).toBe(false);
  const before = Date.now();
  expect(watch.changedSince(before)).toBe(false);
  write(".env", "A=1");
  expect(watch.changedSince(before)).toBe(true);
  expect(await heard(watch)).toBe(true);
  write(".env", "A=2");
  expect(await heard(watch)).toBe(true);
  rmSync(join(folder, ".env"));
  expect(await heard(watch)).toBe(true);
});

test("an input below a folder that is ignored matters", async () => {
  const { folder, watch, follow, write, ready } = await watchedProject();
  follow({ inputs: [join(folder, "dist/made.js")] });
  await ready();
  write("dist/made.js");
  expect(await heard(watch)).toBe(true);
});

test("after a failure the file that was missing matters when it appears, however deep", async () => {
  const { folder, watch, follow, write, ready } = await watchedProject();
  follow({ failed: true, missing: [join(folder, "lib/new/missing")] });
  await ready();
  mkdirSync(join(folder, "lib"));
  expect(await heard(watch)).toBe(true);
  follow({ failed: true, missing: [join(folder, "lib/new/missing")] });
  await ready();
  write("lib/new/missing.ts");
  expect(await heard(watch)).toBe(true);
});

test("a file that was written since a build began makes it outdated", async () => {
  const { watch, write } = await watchedProject();
  await sleep(20);
  expect(watch.changedSince(Date.now())).toBe(false);
  const before = Date.now();
  write("src/lib.ts");
  expect(watch.changedSince(before)).toBe(true);
});
