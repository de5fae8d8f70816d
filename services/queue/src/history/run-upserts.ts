import type Database from "libsql";

/** Rows that one statement writes: a call into SQLite costs as much as a small row. */
const together = 16;

/** Columns of a run that never change. */
const fixed = new Set(["number", "environment", "task", "create_ms", "parent", "root", "depth", "batch", "test"]);
/** Columns that keep what they have when they are given nothing: it is let go from memory once it is stored. */
const kept = new Set(["payload", "output", "metadata"]);

/** Writes rows of runs, new and changed ones alike, several with one statement. */
export class RunUpserts {
  readonly #many: Database.Statement;
  readonly #one: Database.Statement;
  readonly #width: number;
  #waiting: unknown[] = [];

  /**
   * @param columns that are given for each row, `number` first
   * @param absent the other columns, and the SQL of what new rows have there; rows that are stored keep what they have
   */
  constructor(sqlite: Database.Database, columns: readonly string[], absent: Readonly<Record<string, string>> = {}) {
    const row = `(${[...columns.map(() => "?"), ...Object.values(absent)].join(", ")})`;
    const changes = columns.filter((column) => !fixed.has(column)).map((column) => `${column} = ${changed(column)}`);
    const sql = (rows: number) =>
      `INSERT INTO run (${[...columns, ...Object.keys(absent)].join(", ")}) VALUES ${Array(rows).fill(row).join(", ")}
       ON CONFLICT (number) DO UPDATE SET ${changes.join(", ")}`;
    this.#many = sqlite.prepare(sql(together));
    this.#one = sqlite.prepare(sql(1));
    this.#width = columns.length;
  }

  /** Writes a row, perhaps not before others have come; {@link finish} writes what waits. A run may come once until then. */
  add(...values: readonly unknown[]): void {
    this.#waiting.push(...values);
    if (this.#waiting.length < this.#width * together) return;
    this.#many.run(this.#waiting);
    this.#waiting = [];
  }

  /** Writes the rows that wait. */
  finish(): void {
    for (let at = 0; at < this.#waiting.length; at += this.#width) this.#one.run(this.#waiting.slice(at, at + this.#width));
    this.#waiting = [];
  }
}

function changed(column: string): string {
  return kept.has(column) ? `coalesce(excluded.${column}, ${column})` : `excluded.${column}`;
}
