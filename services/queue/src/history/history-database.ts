import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "libsql";

/** Number of the layout below and of what the reducer makes of the log. Raise it when either changes: the history is then made anew. */
const schemaVersion = 4;

const schema = `
  CREATE TABLE followed (only INTEGER PRIMARY KEY CHECK (only = 1), position INTEGER NOT NULL, mark BLOB NOT NULL);
  CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
  CREATE TABLE environment (name INTEGER PRIMARY KEY, tag TEXT NOT NULL);
  CREATE TABLE task (environment INTEGER NOT NULL, name INTEGER NOT NULL, queue INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
    machine INTEGER NOT NULL, max_duration INTEGER NOT NULL, ttl INTEGER NOT NULL, PRIMARY KEY (environment, name)) WITHOUT ROWID;
  CREATE TABLE queue (environment INTEGER NOT NULL, name INTEGER NOT NULL, PRIMARY KEY (environment, name)) WITHOUT ROWID;
  CREATE TABLE session (number INTEGER PRIMARY KEY, version INTEGER NOT NULL);
  CREATE TABLE run (
    number INTEGER PRIMARY KEY, environment INTEGER NOT NULL, task INTEGER NOT NULL, queue INTEGER NOT NULL, version INTEGER NOT NULL, state INTEGER NOT NULL,
    attempt INTEGER NOT NULL, asked_attempts INTEGER NOT NULL, queue_named INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
    create_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL, finish_ms INTEGER NOT NULL, retry_ms INTEGER NOT NULL,
    parent INTEGER NOT NULL, root INTEGER NOT NULL, depth INTEGER NOT NULL, position INTEGER NOT NULL,
    machine INTEGER NOT NULL, max_duration INTEGER NOT NULL,
    queue_ms INTEGER NOT NULL, ttl INTEGER NOT NULL, expire_ms INTEGER NOT NULL, batch INTEGER NOT NULL, test INTEGER NOT NULL, asked TEXT, tags TEXT, failure BLOB, payload BLOB, output BLOB, metadata BLOB);
  CREATE TABLE run_tag (tag TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (tag, number)) WITHOUT ROWID;
  CREATE INDEX run_by_position ON run (position);
  CREATE INDEX run_by_state ON run (state);
  CREATE INDEX run_by_task ON run (task);
  CREATE INDEX run_by_queue ON run (queue);
  CREATE INDEX run_by_version ON run (version);
  CREATE INDEX run_by_parent ON run (parent) WHERE parent > 0;
  CREATE INDEX run_by_root ON run (root) WHERE root > 0;
  CREATE INDEX run_by_batch ON run (batch) WHERE batch > 0;
`;

/** Where history lives: a file of SQLite, which may be lost without loss, for the log has it all. */
export interface HistoryDatabase {
  readonly sqlite: Database.Database;
  /** It was made just now. */
  readonly isNew: boolean;
}

/**
 * Opens the file, or makes it anew if it is missing, damaged, or of another version.
 *
 * Every index is also ordered by run number, which SQLite adds to it: newest first is backwards. There is none by time, because numbers grow with it.
 *
 * @param file path, or ":memory:"
 */
export function openHistoryDatabase(file: string): HistoryDatabase {
  if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true });
  try {
    const sqlite = connect(file);
    const [version] = sqlite.prepare("PRAGMA user_version").raw().get() as [number];
    if (version === schemaVersion) return { sqlite, isNew: false };
    sqlite.close();
  } catch {
    // No database, or one that cannot be read: in either case the log has it.
  }
  removeHistoryDatabase(file);
  const sqlite = connect(file);
  sqlite.exec(`BEGIN; ${schema} INSERT INTO followed VALUES (1, 0, x''); PRAGMA user_version = ${schemaVersion}; COMMIT`);
  return { sqlite, isNew: true };
}

/** Removes the file of a history that is to be made anew. It must be closed. */
export function removeHistoryDatabase(file: string): void {
  if (file === ":memory:") return;
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
}

function connect(file: string): Database.Database {
  const sqlite = new Database(file);
  // NORMAL: what a power loss takes from the end comes again from the log, position and rows together.
  sqlite.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 8000");
  return sqlite;
}
