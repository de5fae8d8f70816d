import type Database from "libsql";
import type { CachedRow, HistoryRow } from "./history-row.js";

/** Columns of a run without payload and output, in the order of {@link rowOf}. */
export const rowColumns =
  "number, environment, task, queue, version, state, attempt, asked_attempts, queue_named, max_attempts, create_ms, start_ms, finish_ms, retry_ms, parent, root, depth, position, failure";

/** What a query for {@link rowColumns} answers. */
export type RawRow = [...number[], Uint8Array | null] & { length: 19 };

/** Rows that one statement inserts: a call into SQLite costs as much as a small row. */
const insertedTogether = 16;

/** The table of runs. Its callers see to transactions. */
export class RunTable {
  readonly #insertMany: Database.Statement;
  readonly #insert: Database.Statement;
  readonly #update: Database.Statement;
  readonly #updateWithOutput: Database.Statement;
  readonly #read: Database.Statement;
  readonly #bodies: Database.Statement;
  #waiting: unknown[] = [];

  constructor(sqlite: Database.Database) {
    const one = `(${Array(21).fill("?").join(",")})`;
    this.#insertMany = sqlite.prepare(`INSERT INTO run VALUES ${Array(insertedTogether).fill(one).join(",")}`);
    this.#insert = sqlite.prepare(`INSERT INTO run VALUES ${one}`);
    const changes = "queue = ?, version = ?, state = ?, attempt = ?, max_attempts = ?, start_ms = ?, finish_ms = ?, retry_ms = ?, position = ?, failure = ?";
    this.#update = sqlite.prepare(`UPDATE run SET ${changes} WHERE number = ?`);
    this.#updateWithOutput = sqlite.prepare(`UPDATE run SET ${changes}, output = ? WHERE number = ?`);
    this.#read = sqlite.prepare(`SELECT ${rowColumns} FROM run WHERE number = ?`).raw();
    this.#bodies = sqlite.prepare("SELECT payload, output FROM run WHERE number = ?").raw();
  }

  /** Writes a run that changed. One that is new may wait for others; {@link finish} writes the rest. */
  write(row: CachedRow): void {
    if (!row.stored) {
      const { number, environment, task, queue, version, state, attempt, askedAttempts, maxAttempts, createMs, startMs, finishMs, retryMs } = row;
      this.#waiting.push(number, environment, task, queue, version, state, attempt, askedAttempts, row.queueNamed ? 1 : 0, maxAttempts);
      this.#waiting.push(createMs, startMs, finishMs, retryMs, row.parent, row.root, row.depth, row.position, row.failure, row.payload, row.output);
      if (this.#waiting.length < 21 * insertedTogether) return;
      this.#insertMany.run(this.#waiting);
      this.#waiting = [];
      return;
    }
    const { queue, version, state, attempt, maxAttempts, startMs, finishMs, retryMs, position, failure, output, number } = row;
    if (output === null) this.#update.run([queue, version, state, attempt, maxAttempts, startMs, finishMs, retryMs, position, failure, number]);
    else this.#updateWithOutput.run([queue, version, state, attempt, maxAttempts, startMs, finishMs, retryMs, position, failure, output, number]);
  }

  /** Writes the new runs that waited for company. */
  finish(): void {
    for (let at = 0; at < this.#waiting.length; at += 21) this.#insert.run(this.#waiting.slice(at, at + 21));
    this.#waiting = [];
  }

  /** A run as it was written last. */
  read(number: number): HistoryRow | undefined {
    const raw = this.#read.get([number]) as RawRow | undefined;
    return raw && rowOf(raw);
  }

  /** Payload and output of a run, as they are encoded. */
  bodiesOf(number: number): { payload: Uint8Array | null; output: Uint8Array | null } {
    const [payload, output] = (this.#bodies.get([number]) as [Uint8Array | null, Uint8Array | null] | undefined) ?? [null, null];
    return { payload, output };
  }
}

/** The row that a query answered. */
export function rowOf(raw: RawRow): HistoryRow {
  const n = raw as unknown as number[];
  const at = (index: number) => n[index] as number;
  return {
    number: at(0),
    environment: at(1),
    task: at(2),
    queue: at(3),
    version: at(4),
    state: at(5),
    attempt: at(6),
    askedAttempts: at(7),
    queueNamed: at(8) === 1,
    maxAttempts: at(9),
    createMs: at(10),
    startMs: at(11),
    finishMs: at(12),
    retryMs: at(13),
    parent: at(14),
    root: at(15),
    depth: at(16),
    position: at(17),
    failure: raw[18] as Uint8Array | null,
  };
}
