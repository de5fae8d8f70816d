import type Database from "libsql";
import type { AskedSettings, CachedRow, HistoryRow } from "./history-row.js";
import type { RunBodies } from "./run-message.js";

/** Columns of a run without payload, output and metadata, in the order of {@link rowOf}. */
export const rowColumns =
  "number, environment, task, queue, version, state, attempt, asked_attempts, queue_named, max_attempts, create_ms, start_ms, finish_ms, retry_ms, parent, root, depth, position, machine, max_duration, queue_ms, ttl, expire_ms, batch, test, asked, tags, failure";

/** What a query for {@link rowColumns} answers. */
export type RawRow = [...number[], string | null, string | null, Uint8Array | null] & { length: 28 };

/** Columns of a run. */
const columns = 31;
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
  readonly #updateMetadata: Database.Statement;
  readonly #insertTag: Database.Statement;
  readonly #deleteTag: Database.Statement;
  readonly #replaceBodies: Database.Statement;
  #waiting: unknown[] = [];

  constructor(sqlite: Database.Database) {
    const one = `(${Array(columns).fill("?").join(",")})`;
    this.#insertMany = sqlite.prepare(`INSERT INTO run VALUES ${Array(insertedTogether).fill(one).join(",")}`);
    this.#insert = sqlite.prepare(`INSERT INTO run VALUES ${one}`);
    const changes =
      "queue = ?, version = ?, state = ?, attempt = ?, max_attempts = ?, start_ms = ?, finish_ms = ?, retry_ms = ?, position = ?, machine = ?, max_duration = ?, queue_ms = ?, ttl = ?, expire_ms = ?, asked = ?, tags = ?, failure = ?";
    this.#update = sqlite.prepare(`UPDATE run SET ${changes} WHERE number = ?`);
    this.#updateWithOutput = sqlite.prepare(`UPDATE run SET ${changes}, output = ? WHERE number = ?`);
    this.#read = sqlite.prepare(`SELECT ${rowColumns} FROM run WHERE number = ?`).raw();
    this.#updateMetadata = sqlite.prepare("UPDATE run SET metadata = ? WHERE number = ?");
    this.#deleteTag = sqlite.prepare("DELETE FROM run_tag WHERE tag = ? AND number = ?");
    this.#replaceBodies = sqlite.prepare("UPDATE run SET asked_attempts = ?, payload = ?, metadata = ? WHERE number = ?");
    this.#insertTag = sqlite.prepare("INSERT OR IGNORE INTO run_tag VALUES (?, ?)");
    this.#bodies = sqlite.prepare("SELECT payload, output, metadata FROM run WHERE number = ?").raw();
  }

  /** Writes a run that changed. One that is new may wait for others; {@link finish} writes the rest. */
  write(row: CachedRow): void {
    if (row.replacedTags !== null) this.#replace(row, row.replacedTags);
    // Apart from that tags only ever come.
    for (const tag of row.tags) this.#insertTag.run([tag, row.number]);
    if (!row.stored) {
      const { number, environment, task, queue, version, state, attempt, askedAttempts, maxAttempts, createMs, startMs, finishMs, retryMs } = row;
      this.#waiting.push(number, environment, task, queue, version, state, attempt, askedAttempts, row.queueNamed ? 1 : 0, maxAttempts);
      this.#waiting.push(createMs, startMs, finishMs, retryMs, row.parent, row.root, row.depth, row.position);
      this.#waiting.push(row.machine, row.maxDurationSeconds, row.queueMs, row.ttlSeconds, row.expireMs, row.batch, row.test ? 1 : 0);
      this.#waiting.push(...textsOf(row), row.failure, row.payload, row.output, row.metadata);
      if (this.#waiting.length < columns * insertedTogether) return;
      this.#insertMany.run(this.#waiting);
      this.#waiting = [];
      return;
    }
    const { queue, version, state, attempt, maxAttempts, startMs, finishMs, retryMs, position, machine, maxDurationSeconds, failure, output, number } = row;
    const changes: unknown[] = [queue, version, state, attempt, maxAttempts, startMs, finishMs, retryMs, position, machine, maxDurationSeconds];
    changes.push(row.queueMs, row.ttlSeconds, row.expireMs, ...textsOf(row), failure);
    if (output === null) this.#update.run([...changes, number]);
    else this.#updateWithOutput.run([...changes, output, number]);
    if (row.metadata !== null) this.#updateMetadata.run([row.metadata, number]);
  }

  /** A later trigger has given a delayed run its data. */
  #replace({ stored, number, askedAttempts, payload, metadata }: CachedRow, tags: readonly string[]): void {
    if (!stored) return;
    for (const tag of tags) this.#deleteTag.run([tag, number]);
    this.#replaceBodies.run([askedAttempts, payload, metadata, number]);
  }

  /** Writes the new runs that waited for company. */
  finish(): void {
    for (let at = 0; at < this.#waiting.length; at += columns) this.#insert.run(this.#waiting.slice(at, at + columns));
    this.#waiting = [];
  }

  /** A run as it was written last. */
  read(number: number): HistoryRow | undefined {
    const raw = this.#read.get([number]) as RawRow | undefined;
    return raw && rowOf(raw);
  }

  /** Payload, output and metadata of a run, as they are encoded. */
  bodiesOf(number: number): RunBodies {
    const [payload = null, output = null, metadata = null] = (this.#bodies.get([number]) as (Uint8Array | null)[] | undefined) ?? [];
    return { payload, output, metadata };
  }
}

/** What most runs do not have, as JSON; null for none. */
function textsOf({ asked, tags }: HistoryRow): [string | null, string | null] {
  return [asked && JSON.stringify(asked), tags.length > 0 ? JSON.stringify(tags) : null];
}

const noTags: readonly string[] = [];

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
    machine: at(18),
    maxDurationSeconds: at(19),
    queueMs: at(20),
    ttlSeconds: at(21),
    expireMs: at(22),
    batch: at(23),
    test: at(24) === 1,
    asked: raw[25] === null ? null : (JSON.parse(raw[25] as unknown as string) as AskedSettings),
    tags: raw[26] === null ? noTags : (JSON.parse(raw[26] as unknown as string) as string[]),
    failure: raw[27] as Uint8Array | null,
  };
}
