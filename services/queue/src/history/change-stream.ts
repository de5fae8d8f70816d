import { create } from "@bufbuild/protobuf";
import { refusal } from "@runlane/platform";
import type { AwaitChangesResponse, OpenWatch } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { type RunChange, RunChangeSchema, RunView } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { runNumberOf } from "../engine/run-id.js";
import { type ChangeCursor, cursorAfter, cursorOf, cursorText } from "./change-cursor.js";
import type { HistoryRow } from "./history-row.js";
import { fulfils, type RowFilter, rowFilter } from "./row-filter.js";
import { addBodies, basicRun, type RowContext, runBytes } from "./run-message.js";
import type { ChangeQuery } from "./run-query.js";
import type { RunTable } from "./run-table.js";

/** What streams read from. */
export interface ChangeSource {
  readonly table: RunTable;
  readonly changes: ChangeQuery;
  readonly context: RowContext;
  /** Up to where the table has the log. */
  position(): number;
}

/** Bytes and runs of one response. */
const most = { bytes: 512 * 1024, runs: 500 } as const;
/** Rows that are looked at before other work gets its turn. */
const scanned = 2_000;
/** Changed runs that a stream remembers while its reader is slow; beyond, they are looked up again by their position. */
const remembered = 2_000;

interface Watch {
  readonly id: number;
  readonly full: boolean;
  readonly filter: RowFilter | undefined;
}

/** What one stream watches, and what it has not been told so far. Holds little, however slow its reader: runs that changed are told as they stand when they are told. */
export class ChangeStream {
  readonly #source: ChangeSource;
  readonly #environment: number;
  readonly #tag: string;
  readonly #filters: Watch[] = [];
  /** Watches by run number. */
  readonly #watched = new Map<number, Watch[]>();
  /** Runs whose present state is still to be told. */
  readonly #present = new Set<number>();
  readonly #unknown: string[] = [];
  #cursor: ChangeCursor;
  /** Changes behind the cursor, as they were noted; undefined: they must be looked up. */
  #changed: Set<number> | undefined;
  /** The cursor that the reader has; "" for none. */
  #given: string;

  constructor(source: ChangeSource, environment: string, { watches }: OpenWatch, cursor: string, idOf: (text: string) => number) {
    const { context } = source;
    this.#source = source;
    this.#environment = context.names.find(environment);
    this.#tag = context.tags.get(this.#environment) ?? "";
    this.#given = cursor;
    this.#cursor = cursor === "" ? cursorAfter(source.position()) : cursorOf(this.#tag, cursor, source.position());
    this.#changed = cursor === "" ? new Set() : undefined;
    for (const { id, runIds, filter, view, sendPresent } of watches) {
      const watch: Watch = { id, full: view !== RunView.BASIC, filter: filter && rowFilter(environment, filter, context, idOf) };
      if (watch.filter) this.#filters.push(watch);
      for (const runId of runIds) this.#watchRun(runId, watch, cursor === "" || sendPresent);
    }
  }

  /** Whether there is something to tell, or to look up. */
  get ready(): boolean {
    return this.#present.size > 0 || this.#unknown.length > 0 || this.#changed === undefined || this.#changed.size > 0;
  }

  /** Rows that are being written to the table. */
  note(rows: readonly HistoryRow[]): void {
    const changed = this.#changed;
    if (changed === undefined) return;
    for (const row of rows) {
      if (this.#watched.has(row.number) || this.#filters.some(({ filter }) => fulfils(row, filter as RowFilter))) changed.add(row.number);
    }
    if (changed.size > remembered) this.#changed = undefined;
  }

  /** The table has all up to `position`. `lost`: rows changed that {@link note} was not told of. */
  written(position: number, lost: boolean): void {
    if (lost) this.#changed = undefined;
    else if (this.#changed?.size === 0) this.#cursor = cursorAfter(position);
  }

  /** Goes on from the cursor that the reader has: a response may have been lost. */
  resume(cursor: string): void {
    if (cursor === this.#given) return;
    if (cursor === "") throw refusal("WATCH_UNKNOWN", "the stream has been told more than its reader has heard");
    this.#cursor = cursorOf(this.#tag, cursor, this.#source.position());
    this.#changed = undefined;
    this.#given = cursor;
  }

  /** What there is to tell now, as much as one response holds; undefined if other work should have its turn first. */
  next(): AwaitChangesResponse | undefined {
    const response: AwaitChangesResponse = { $typeName: "runlane.internal.v1.AwaitChangesResponse", cursor: "", changes: [], unknownRunIds: [] };
    if (this.#present.size > 0 || this.#unknown.length > 0) {
      response.unknownRunIds = this.#unknown.splice(0, most.runs);
      this.#tellPresent(response);
      if (this.#present.size > 0 || this.#unknown.length > 0) {
        // Whoever has a cursor keeps it until it has heard all.
        response.cursor = this.#given;
        return response;
      }
    } else if (this.#changed === undefined) {
      if (!this.#lookUp(response)) return undefined;
    } else {
      this.#tellChanged(response, this.#changed);
    }
    response.cursor = cursorText(this.#tag, this.#cursor);
    this.#given = response.cursor;
    return response;
  }

  #watchRun(runId: string, watch: Watch, present: boolean): void {
    const number = runNumberOf({ tag: this.#tag }, runId);
    const row = number === undefined ? undefined : this.#source.table.read(number);
    if (number === undefined || row?.environment !== this.#environment) {
      this.#unknown.push(runId);
      return;
    }
    const others = this.#watched.get(number);
    if (others) others.push(watch);
    else this.#watched.set(number, [watch]);
    if (present) this.#present.add(number);
  }

  #tellPresent(response: AwaitChangesResponse): void {
    let room: Room = { bytes: most.bytes, runs: most.runs };
    for (const number of this.#present) {
      const row = this.#source.table.read(number);
      const left = row ? this.#tell(response, row, room) : room;
      if (left === undefined) return;
      room = left;
      this.#present.delete(number);
    }
  }

  #tellChanged(response: AwaitChangesResponse, changed: Set<number>): void {
    const end = this.#source.position();
    const rows = [...changed].map((number) => this.#source.table.read(number)).filter((row) => row !== undefined);
    rows.sort((a, b) => a.position - b.position || a.number - b.number);
    let room: Room = { bytes: most.bytes, runs: most.runs };
    for (const row of rows) {
      const left = this.#tell(response, row, room);
      if (left === undefined) return;
      room = left;
      changed.delete(row.number);
      this.#cursor = { position: row.position, number: row.number };
    }
    changed.clear();
    this.#cursor = cursorAfter(end);
  }

  /** Looks for changes behind the cursor. False: nothing so far, and there is more to look at. */
  #lookUp(response: AwaitChangesResponse): boolean {
    const end = this.#source.position();
    const rows = this.#source.changes.after(this.#cursor.position, this.#cursor.number, scanned);
    let room: Room = { bytes: most.bytes, runs: most.runs };
    for (const row of rows) {
      const left = this.#tell(response, row, room);
      if (left === undefined) return true;
      room = left;
      this.#cursor = { position: row.position, number: row.number };
    }
    if (rows.length === scanned) return response.changes.length > 0;
    this.#cursor = cursorAfter(end);
    this.#changed = new Set();
    return true;
  }

  /** Adds a run to a response, if it is watched; undefined if there is no room for it. */
  #tell(response: AwaitChangesResponse, row: HistoryRow, room: Room): Room | undefined {
    if (row.environment !== this.#environment) return room;
    const watches = [...(this.#watched.get(row.number) ?? []), ...this.#filters.filter(({ filter }) => fulfils(row, filter as RowFilter))];
    if (watches.length === 0) return room;
    const bodies = watches.some(({ full }) => full) ? this.#source.table.bodiesOf(row.number) : undefined;
    const bytes = runBytes(row, bodies);
    if (room.runs === 0 || (response.changes.length > 0 && bytes > room.bytes)) return undefined;
    const run = basicRun(this.#source.context, row);
    const change: RunChange = create(RunChangeSchema, { watchIds: watches.map(({ id }) => id) });
    change.run = bodies ? addBodies(run, bodies) : run;
    response.changes.push(change);
    return { bytes: room.bytes - bytes, runs: room.runs - 1 };
  }
}

interface Room {
  readonly bytes: number;
  readonly runs: number;
}
