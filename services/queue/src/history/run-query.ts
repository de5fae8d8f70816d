import type Database from "libsql";
import type { HistoryRow } from "./history-row.js";
import type { RowFilter } from "./row-filter.js";
import { type RawRow, rowColumns, rowOf } from "./run-table.js";

/** Where a page lies: all runs on one side of a number, the nearest first. */
export interface PagePosition {
  readonly side: "older" | "newer";
  /** Not part of the page. */
  readonly pivot: number;
}

/** A condition that has an index. */
interface Condition {
  readonly column: "state" | "task" | "queue" | "version" | "parent" | "root" | "batch";
  readonly values: readonly number[];
}

/** How many rows of an index are counted to find out which condition selects most. */
const probed = 2_000;

/** Finds at most `limit` runs of a page, nearest to its pivot first. */
export function findRows(sqlite: Database.Database, filter: RowFilter, { side, pivot }: PagePosition, limit: number): HistoryRow[] {
  const range = numbersWithin(sqlite, filter, side === "older" ? { least: 1, most: pivot - 1 } : { least: pivot + 1, most: Number.MAX_SAFE_INTEGER });
  if (range.least > range.most) return [];
  const conditions = conditionsOf(filter);
  if (conditions.some(({ values }) => values.length === 0)) return [];
  const order = side === "older" ? "DESC" : "ASC";
  const driver = filter.numbers === undefined && filter.tags === undefined ? mostSelective(sqlite, conditions, range) : undefined;
  const where: string[] = ["environment = ?", "number BETWEEN ? AND ?"];
  const values: unknown[] = [filter.environment, range.least, range.most];
  if (filter.numbers !== undefined) {
    where.push(`number IN (${places(filter.numbers.size)})`);
    values.push(...filter.numbers);
  }
  if (filter.test !== undefined) {
    where.push("test = ?");
    values.push(filter.test ? 1 : 0);
  }
  for (const condition of conditions) {
    if (condition === driver) continue;
    where.push(`+${condition.column} IN (${places(condition.values.length)})`);
    values.push(...condition.values);
  }
  const rest = where.join(" AND ");
  if (filter.tags !== undefined) return taggedRows(sqlite, [...filter.tags], { rest, values, order, limit });
  if (!driver) {
    return rows(sqlite, `SELECT ${rowColumns} FROM run NOT INDEXED WHERE ${rest} ORDER BY number ${order} LIMIT ?`, [...values, limit]);
  }
  // One value after the other, each in the order of its index; all together would be sorted first.
  const from = `FROM run INDEXED BY run_by_${driver.column} WHERE ${isValue(driver)}`;
  const one = `SELECT * FROM (SELECT ${rowColumns} ${from} AND ${rest} ORDER BY number ${order} LIMIT ?)`;
  const parts = driver.values.map((value) => [value, ...values, limit]);
  const sql = `${parts.map(() => one).join(" UNION ALL ")} ORDER BY number ${order} LIMIT ?`;
  return rows(sqlite, sql, [...parts.flat(), limit]);
}

/** What is looked for among the runs with a tag. */
interface TaggedSearch {
  readonly rest: string;
  readonly values: readonly unknown[];
  readonly order: "ASC" | "DESC";
  readonly limit: number;
}

/** One tag after the other, each in the order of its index. A run with several of them is found several times. */
function taggedRows(sqlite: Database.Database, tags: readonly string[], { rest, values, order, limit }: TaggedSearch): HistoryRow[] {
  const named = rowColumns.replaceAll(/\w+/g, "run.$&");
  const conditions = rest.replaceAll(/\b(environment|number)\b/g, "run.$1");
  const sql = `SELECT ${named} FROM run_tag CROSS JOIN run ON run.number = run_tag.number WHERE run_tag.tag = ? AND ${conditions} ORDER BY run_tag.number ${order} LIMIT ?`;
  const found = new Map<number, HistoryRow>();
  for (const tag of tags) for (const row of rows(sqlite, sql, [tag, ...values, limit])) found.set(row.number, row);
  const sorted = [...found.values()].sort((a, b) => (order === "DESC" ? b.number - a.number : a.number - b.number));
  return sorted.slice(0, limit);
}

/** Runs whose last change stands behind (position, number) in the log, in that order. */
export class ChangeQuery {
  readonly #statement: Database.Statement;

  constructor(sqlite: Database.Database) {
    this.#statement = sqlite
      .prepare(
        `SELECT ${rowColumns} FROM run INDEXED BY run_by_position WHERE position >= ? AND (position > ? OR number > ?) ORDER BY position, number LIMIT ?`,
      )
      .raw();
  }

  after(position: number, number: number, limit: number): HistoryRow[] {
    return (this.#statement.all([position, position, number, limit]) as RawRow[]).map(rowOf);
  }
}

function conditionsOf(filter: RowFilter): Condition[] {
  const conditions: Condition[] = [];
  const add = (column: Condition["column"], values: Iterable<number> | undefined) => {
    if (values !== undefined) conditions.push({ column, values: [...values].filter((value) => value >= 0) });
  };
  add("parent", filter.parent === undefined ? undefined : [filter.parent]);
  add("root", filter.root === undefined ? undefined : [filter.root]);
  add("batch", filter.batches);
  add("state", filter.states);
  add("version", filter.versions);
  add("task", filter.tasks);
  add("queue", filter.queues);
  return conditions;
}

function mostSelective(sqlite: Database.Database, conditions: readonly Condition[], { least, most }: NumberRange): Condition | undefined {
  if (conditions.length < 2) return conditions[0];
  let best: { readonly condition: Condition; readonly count: number } | undefined;
  for (const condition of conditions) {
    const sql = `SELECT count(*) FROM (SELECT 1 FROM run INDEXED BY run_by_${condition.column} WHERE ${isValue(condition)} AND number BETWEEN ? AND ? LIMIT ?)`;
    const statement = sqlite.prepare(sql).raw();
    let count = 0;
    for (const value of condition.values) count += (statement.get([value, least, most, probed]) as [number])[0];
    if (best === undefined || count < best.count) best = { condition, count };
  }
  return best?.condition;
}

/** A partial index serves only who says that he needs no more than it has. */
function isValue({ column }: Condition): string {
  return column === "parent" || column === "root" || column === "batch" ? `${column} = ? AND ${column} > 0` : `${column} = ?`;
}

interface NumberRange {
  readonly least: number;
  readonly most: number;
}

/** Numbers grow with time, so times are numbers: each end is found by halving. */
function numbersWithin(sqlite: Database.Database, { fromMs, toMs }: RowFilter, range: NumberRange): NumberRange {
  if (fromMs === 0 && toMs === Number.MAX_SAFE_INTEGER) return range;
  const [newest] = sqlite.prepare("SELECT coalesce(max(number), 0) FROM run").raw().get([]) as [number];
  const at = sqlite.prepare("SELECT number, create_ms FROM run WHERE number >= ? ORDER BY number LIMIT 1").raw();
  /** The first number whose time is `ms` or later. */
  const first = (ms: number): number => {
    let low = 1;
    let high = newest + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = at.get([middle]) as [number, number] | undefined;
      if (row === undefined || row[1] >= ms) high = middle;
      else low = row[0] + 1;
    }
    return low;
  };
  return {
    least: fromMs === 0 ? range.least : Math.max(range.least, first(fromMs)),
    most: toMs === Number.MAX_SAFE_INTEGER ? range.most : Math.min(range.most, first(toMs + 1) - 1),
  };
}

function rows(sqlite: Database.Database, sql: string, values: unknown[]): HistoryRow[] {
  return (sqlite.prepare(sql).raw().all(values) as RawRow[]).map(rowOf);
}

function places(count: number): string {
  return Array(count).fill("?").join(",");
}
