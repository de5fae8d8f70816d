import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const sdk = fileURLToPath(new URL("../../../../sdk-ts", import.meta.url));

/** Writes a project that has the SDK installed, into a folder that is gone after the test; the folder. */
export function temporaryProject(files: Record<string, string>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "runlane-project-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  mkdirSync(join(folder, "node_modules/@runlane"), { recursive: true });
  symlinkSync(sdk, join(folder, "node_modules/@runlane/sdk"));
  return folder;
}
