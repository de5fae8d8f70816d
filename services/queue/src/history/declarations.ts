import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { TaskDeclaration } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type Database from "libsql";
import type { Names } from "./names.js";
import { defaultMaxAttempts } from "./new-row.js";

/** A statement, and the values of its parameters. */
export interface Statement {
  readonly sql: string;
  readonly values: unknown[];
}

/** A task that workers have declared. */
export interface DeclaredTask {
  /** Number of its queue's name. */
  readonly queue: number;
  readonly maxAttempts: number;
  /** 0 for none. */
  readonly machine: number;
  readonly maxDurationSeconds: number;
  readonly ttlSeconds: number;
}

/**
 * What has been declared: tasks, and queues, which are those that workers declare and those of tasks.
 *
 * A run is PENDING_VERSION until both its task and its queue are among them.
 * A declaration moves the rows of runs in their queues: what waits out a delay between attempts is not there.
 */
export class Declarations {
  readonly #names: Names;
  readonly #store: (statement: Statement) => void;
  readonly #tasks = new Map<string, DeclaredTask>();
  readonly #queues = new Set<string>();

  /**
   * Reads what the database has.
   *
   * @param store hears of what is to be written with the next flush
   */
  constructor(sqlite: Database.Database, names: Names, store: (statement: Statement) => void) {
    this.#names = names;
    this.#store = store;
    const all = (sql: string) => sqlite.prepare(sql).raw().all() as number[][];
    for (const [environment = 0, queue = 0] of all("SELECT environment, name FROM queue")) this.#queues.add(keyOf(environment, queue));
    for (const [environment = 0, name = 0, queue = 0, maxAttempts = 0, machine = 0, maxDurationSeconds = 0, ttlSeconds = 0] of all(
      "SELECT environment, name, queue, max_attempts, machine, max_duration, ttl FROM task",
    )) {
      this.#tasks.set(keyOf(environment, name), { queue, maxAttempts, machine, maxDurationSeconds, ttlSeconds });
    }
  }

  /** A task, by the numbers of the names. */
  task(environment: number, name: number): DeclaredTask | undefined {
    return this.#tasks.get(keyOf(environment, name));
  }

  /** Whether a queue has been declared, by the numbers of the names. */
  knows(environment: number, queue: number): boolean {
    return this.#queues.has(keyOf(environment, queue));
  }

  /**
   * Takes a task. Its runs stand in its queue unless their trigger named one.
   *
   * @param position of the record, for the rows that change
   * @returns what moves the rows
   */
  declareTask(environmentName: string, declaration: TaskDeclaration, position: number): Statement[] {
    const environment = this.#names.idOf(environmentName);
    const name = this.#names.idOf(declaration.id);
    const own = this.#names.idOf(`task/${declaration.id}`);
    const queue = declaration.queue ? this.#names.idOf(declaration.queue) : own;
    const before = this.task(environment, name);
    const after: DeclaredTask = {
      queue,
      maxAttempts: declaration.maxAttempts ?? defaultMaxAttempts,
      machine: this.#names.idOf(declaration.machine),
      maxDurationSeconds: declaration.maxDurationSeconds,
      ttlSeconds: declaration.ttlSeconds ?? 0,
    };
    this.#tasks.set(keyOf(environment, name), after);
    this.#store({
      sql: "INSERT OR REPLACE INTO task VALUES (?, ?, ?, ?, ?, ?, ?)",
      values: [environment, name, queue, after.maxAttempts, after.machine, after.maxDurationSeconds, after.ttlSeconds],
    });
    const moves = [...this.#free(environment, own, position), ...this.#free(environment, queue, position)];
    const from = before?.queue ?? own;
    if (before && from === queue) return moves;
    if (from !== queue) {
      moves.push({
        sql: `UPDATE run SET queue = ?, position = ? WHERE retry_ms = 0 AND state IN (?, ?) AND environment = ? AND task = ? AND queue_named = 0 AND queue = ?`,
        values: [queue, position, RunState.PENDING_VERSION, RunState.QUEUED, environment, name, from],
      });
    }
    moves.push({
      sql: `UPDATE run SET state = ?, position = ? WHERE retry_ms = 0 AND state = ? AND environment = ? AND task = ?
            AND queue IN (SELECT name FROM queue WHERE queue.environment = run.environment)`,
      values: [RunState.QUEUED, position, RunState.PENDING_VERSION, environment, name],
    });
    return moves;
  }

  /** Takes a queue, likewise: what waits in it waits for its declaration no longer. */
  declareQueue(environmentName: string, name: string, position: number): Statement[] {
    return this.#free(this.#names.idOf(environmentName), this.#names.idOf(name), position);
  }

  #free(environment: number, queue: number, position: number): Statement[] {
    if (this.knows(environment, queue)) return [];
    this.#queues.add(keyOf(environment, queue));
    this.#store({ sql: "INSERT OR IGNORE INTO queue VALUES (?, ?)", values: [environment, queue] });
    return [
      {
        sql: `UPDATE run SET state = ?, position = ? WHERE retry_ms = 0 AND state = ? AND environment = ? AND queue = ?
              AND task IN (SELECT name FROM task WHERE task.environment = run.environment)`,
        values: [RunState.QUEUED, position, RunState.PENDING_VERSION, environment, queue],
      },
    ];
  }
}

function keyOf(environment: number, name: number): string {
  return `${environment}.${name}`;
}
