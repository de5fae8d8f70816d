import type { JournalEntry, JournalPart } from "#gen/runlane/v1/worker_service_pb.js";
import { type TokenKey, tokenKey } from "./token-key.js";

/** The journals of attempts, put together of their parts. What came in pieces is one entry again. */
export function journalsOf(parts: readonly JournalPart[]): Map<TokenKey, JournalEntry[]> {
  const journals = new Map<TokenKey, JournalEntry[]>();
  for (const { token, entries } of parts) {
    const key = tokenKey(token);
    let journal = journals.get(key);
    if (journal === undefined) journals.set(key, (journal = []));
    for (const entry of entries) {
      const last = journal.at(-1);
      if (last?.more) {
        last.results.push(...entry.results);
        last.more = entry.more;
      } else journal.push(entry);
    }
  }
  return journals;
}

/** Entries that have come whole: pieces of one count when the last of them is there. */
export function wholeEntries({ entries }: JournalPart): number {
  let count = 0;
  for (const { more } of entries) if (!more) count += 1;
  return count;
}
