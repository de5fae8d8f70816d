import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { recordingLogger } from "../testing/recording-logger.js";
import { openSpillFile } from "./spill-file.js";

const segment = (fill: number) => new Uint8Array(4_096).fill(fill);

test("a spill file gives back what was written, uses places again, and has no name that could stay behind", ({ onTestFinished }) => {
  const folder = mkdtempSync(join(tmpdir(), "runlane-spill-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { logger, lines } = recordingLogger();
  const file = openSpillFile(folder, logger);
  onTestFinished(() => file.close());
  const [one, two] = [file.write(segment(1)), file.write(segment(2))];
  expect([one?.read(), two?.read()]).toEqual([segment(1), segment(2)]);
  one?.drop();
  const three = file.write(segment(3));
  expect([two?.read(), three?.read()]).toEqual([segment(2), segment(3)]);
  expect(readdirSync(folder)).toEqual([]);
  file.close();
  expect(file.write(segment(4))).toBeUndefined();
  expect(lines).toEqual([]);
});
