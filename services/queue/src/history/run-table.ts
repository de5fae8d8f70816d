import type Database from "libsql";
import type { AskedSettings, CachedRow, HistoryRow } from "./history-row.js";
import type { RunBodies } from "./run-message.js";
import { RunUpserts } from "./run-upserts.js";

/** Columns of a run without payload, output and metadata, in the order of {@link rowOf}. */
export const rowColumns =
  "number, environment, task, queue, version, state, attempt, asked_attempts, queue_named, max_attempts, create_ms, start_ms, finish_ms, retry_ms, parent, root, depth, position, machine, max_duration, queue_ms, ttl, expire_ms, batch, test, asked, tags, failure";

/** What a query for {@link rowColumns} answers. */
export type RawRow = [...number[], string | null, string | null, Uint8Array | null] & { length: 28 };

/** What most runs have nothing in. A call into SQLite costs by its parameters, so such runs are written without these. */
const rareColumns = {
  asked_attempts: "0",
  queue_named: "0",
  retry_ms: "0",
  queue_ms: "0",
  ttl: "0",
  expire_ms: "0",
  batch: "0",
  test: "0",
  asked: "NULL",
  tags: "NULL",
  failure: "NULL",
  metadata: "NULL",
} as const;

/** What every run has something in, in the order of {@link RunTable.write}. */
const commonColumns = [
  ...["number", "environment", "task", "queue", "version", "state", "attempt", "max_attempts", "create_ms", "start_ms", "finish_ms"],
  ...["parent", "root", "depth", "position", "machine", "max_duration", "payload", "output"],
];

/** The table of runs. Its callers see to transactions. */
export class RunTable {
  readonly #common: RunUpserts;
  readonly #whole: RunUpserts;
  readonly #read: Database.Statement;
  readonly #bodies: Database.Statement;
  readonly #insertTag: Database.Statement;
  readonly #deleteTag: Database.Statement;
  readonly #replaceBodies: Database.Statement;

  constructor(sqlite: Database.Database) {
    this.#common = new RunUpserts(sqlite, commonColumns, rareColumns);
    this.#whole = new RunUpserts(sqlite, [...commonColumns, ...Object.keys(rareColumns)]);
    this.#read = sqlite.prepare(`SELECT ${rowColumns} FROM run WHERE number = ?`).raw();
    this.#deleteTag = sqlite.prepare("DELETE FROM run_tag WHERE tag = ? AND number = ?");
    this.#replaceBodies = sqlite.prepare("UPDATE run SET asked_attempts = ?, payload = ?, metadata = ? WHERE number = ?");
    this.#insertTag = sqlite.prepare("INSERT OR IGNORE INTO run_tag VALUES (?, ?)");
    this.#bodies = sqlite.prepare("SELECT payload, output, metadata FROM run WHERE number = ?").raw();
  }

  /** Writes a run that changed, once between two calls of {@link finish}, which writes what waits for company. */
  write(row: CachedRow): void {
    if (row.replacedTags !== null) this.#replace(row, row.replacedTags);
    // Apart from that tags only ever come.
    for (const tag of row.tags) this.#insertTag.run([tag, row.number]);
    row.rare ||= isRare(row);
    const { number, environment, task, queue, version, state, attempt, maxAttempts, createMs, startMs, finishMs } = row;
    const { parent, root, depth, position, machine, maxDurationSeconds, payload, output } = row;
    const common = [number, environment, task, queue, version, state, attempt, maxAttempts, createMs, startMs, finishMs] as const;
    const others = [parent, root, depth, position, machine, maxDurationSeconds, payload, output] as const;
    if (!row.rare) return this.#common.add(...common, ...others);
    const { askedAttempts, queueNamed, retryMs, queueMs, ttlSeconds, expireMs, batch, test, failure, metadata } = row;
    const rare = [askedAttempts, queueNamed ? 1 : 0, retryMs, queueMs, ttlSeconds, expireMs, batch, test ? 1 : 0, ...textsOf(row), failure, metadata] as const;
    this.#whole.add(...common, ...others, ...rare);
  }

  /** A later trigger has given a delayed run its data. */
  #replace({ stored, number, askedAttempts, payload, metadata }: CachedRow, tags: readonly string[]): void {
    if (!stored) return;
    for (const tag of tags) this.#deleteTag.run([tag, number]);
    this.#replaceBodies.run([askedAttempts, payload, metadata, number]);
  }

  /** Writes the runs that waited for company. */
  finish(): void {
    this.#common.finish();
    this.#whole.finish();
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

/** Whether a run has something in the columns that most have nothing in. */
function isRare({ askedAttempts, queueNamed, retryMs, queueMs, ttlSeconds, expireMs, batch, test, asked, tags, failure, metadata }: CachedRow): boolean {
  const numbers = askedAttempts + retryMs + queueMs + ttlSeconds + expireMs + batch;
  return numbers > 0 || queueNamed || test || asked !== null || tags.length > 0 || failure !== null || metadata !== null;
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
