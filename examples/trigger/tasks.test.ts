import { fileURLToPath } from "node:url";
import { createTestPlatform } from "@runlane/sdk/testing";
import { expect, test } from "vitest";
import { flaky } from "./flaky.js";
import { countWords, wordIndex } from "./word-index.js";

const docs = fileURLToPath(new URL("../../docs", import.meta.url));

test("flaky answers on its third attempt, after 200 and 400 ms that nobody waits for", async () => {
  await using platform = await createTestPlatform({ now: "2026-01-01T00:00:00Z" });

  const run = await platform.run(flaky, { answer: 42 });

  expect(run).toMatchObject({ status: "COMPLETED", output: { answer: 42, attempts: 3 }, attemptCount: 3 });
  expect(platform.attempts(run).map(({ outcome, error }) => error?.message ?? outcome)).toEqual([
    "The service is busy (attempt 1)",
    "The service is busy (attempt 2)",
    "completed",
  ]);
  expect(platform.attempts(run)[2]?.logs).toEqual([{ level: "info", message: "The service answered", properties: { attempt: 3 } }]);
});

test("word-index asks for each file's words, whatever counts them", async () => {
  await using platform = await createTestPlatform();
  platform.mock(countWords, ({ file }) => ({ file, words: [["runlane", 2]] as [string, number][] }));

  const run = await platform.run(wordIndex, { folder: docs, words: 1 });

  expect(run.output).toMatchObject({ index: [{ word: "runlane" }] });
  expect(platform.calls).toHaveLength(run.output?.files ?? 0);
  expect(platform.calls[0]).toMatchObject({ task: "count-words", payload: { folder: docs }, parent: { runId: run.id } });
});
