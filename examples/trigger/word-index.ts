import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { AbortTaskRunError, task } from "@runlane/sdk";

/** Words are told apart from noise by their length. */
const shortestWord = 5;
const wordsPerFile = 200;

/** Counts the words of one Markdown file. A child of `word-index`, and useful alone. */
export const countWords = task({
  id: "count-words",
  run: async ({ folder, file }: { folder: string; file: string }) => {
    const counts = new Map<string, number>();
    for (const [word] of (await readFile(join(folder, file), "utf8")).toLowerCase().matchAll(/\p{L}+/gu)) {
      if (word.length >= shortestWord) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    return { file, words: [...counts].sort(byCount).slice(0, wordsPerFile) };
  },
});

/**
 * Makes an index of a folder of Markdown files: the most frequent words, and the files that have them.
 *
 * Triggers a run for each file and waits for all of them. While it waits it holds no slot, so it works on a worker with a single one.
 */
export const wordIndex = task({
  id: "word-index",
  run: async ({ folder, words = 10 }: { folder: string; words?: number }) => {
    const files = await markdownFiles(folder);
    // A retry would find the same folder.
    if (files.length === 0) throw new AbortTaskRunError(`There are no Markdown files in ${folder}`);

    const { runs } = await countWords.batchTriggerAndWait(files.map((file) => ({ payload: { folder, file } })));

    const totals = new Map<string, { count: number; files: string[] }>();
    for (const run of runs) {
      if (!run.ok) throw new Error(`Run ${run.id} failed`, { cause: run.error });
      for (const [word, count] of run.output.words) {
        const total = totals.get(word) ?? { count: 0, files: [] };
        total.count += count;
        total.files.push(run.output.file);
        totals.set(word, total);
      }
    }
    const top = [...totals].map(([word, { count }]): [string, number] => [word, count]).sort(byCount);
    return {
      files: files.length,
      index: top.slice(0, words).map(([word, count]) => ({ word, count, files: totals.get(word)?.files ?? [] })),
    };
  },
});

/** Most frequent first; equally frequent ones by the alphabet, so that the same folder always gives the same index. */
function byCount([a, countA]: [string, number], [b, countB]: [string, number]): number {
  return countB - countA || (a < b ? -1 : 1);
}

async function markdownFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".md"));
  return files.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort();
}
