import type { SnapshotStore, StoredSnapshot } from "@runlane/platform";

/** A whole snapshot in the store, and where in the log it stands. */
export interface NamedSnapshot {
  readonly name: string;
  readonly sequence: number;
  readonly bytes: number;
}

/** The name of a snapshot: the sequence that it stands at, and a word, because two nodes may write one at the same time. */
export function snapshotName(sequence: number, word: string): string {
  return `${sequence}-${word}`;
}

/** The sequence that a snapshot stands at; 0 if it has a name that no snapshot gets. */
export function sequenceOf({ name }: Pick<StoredSnapshot, "name">): number {
  return Number(/^(\d+)-/.exec(name)?.[1] ?? 0);
}

/** The snapshots that are wholly stored, the newest first. */
export async function wholeSnapshots(store: SnapshotStore): Promise<NamedSnapshot[]> {
  const found = (await store.list()).flatMap(({ name, bytes }) => {
    const sequence = sequenceOf({ name });
    return bytes === undefined || sequence === 0 ? [] : [{ name, sequence, bytes }];
  });
  return found.sort((a, b) => b.sequence - a.sequence);
}
