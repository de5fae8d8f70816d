import { refusal } from "@runlane/platform";
import type { AwaitChangesRequest, AwaitChangesResponse } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { type ChangeSource, ChangeStream } from "./change-stream.js";
import type { HistoryRow } from "./history-row.js";

/** A stream that nobody has asked for this long is forgotten. */
const forgottenAfterMs = 60_000;
/** Streams at once; beyond, the one that was not asked for longest is forgotten. */
const mostStreams = 10_000;
const longestWaitMs = 30_000;

interface Entry {
  readonly stream: ChangeStream;
  lastMs: number;
  /** The call that waits. */
  wake: (() => void) | undefined;
}

/** All open streams of changes. */
export class ChangeStreams {
  readonly #source: ChangeSource;
  readonly #idOf: (text: string) => number;
  readonly #streams = new Map<string, Entry>();
  #waiting = 0;

  constructor(source: ChangeSource, idOf: (text: string) => number) {
    this.#source = source;
    this.#idOf = idOf;
  }

  /** Whether a call waits for changes, so that they should be written soon. */
  get awaited(): boolean {
    return this.#waiting > 0;
  }

  /** Answers a call, at once or when something has changed. */
  async answer(request: AwaitChangesRequest): Promise<AwaitChangesResponse> {
    if (request.close) {
      this.#streams.get(request.stream)?.wake?.();
      this.#streams.delete(request.stream);
      return empty(request.cursor);
    }
    const entry = this.#entry(request);
    const end = performance.now() + Math.min(request.waitMs, longestWaitMs);
    for (;;) {
      entry.lastMs = performance.now();
      if (entry.stream.ready) {
        const response = entry.stream.next();
        // What was looked at may hold nothing; the reader still hears how far that was, sooner or later.
        if (response && (response.changes.length > 0 || response.unknownRunIds.length > 0)) return response;
        await new Promise<void>((resolve) => setImmediate(resolve));
        continue;
      }
      const left = end - performance.now();
      if (left <= 0) return entry.stream.next() ?? empty(request.cursor);
      await this.#sleep(entry, left);
      if (this.#streams.get(request.stream) !== entry) throw unknownStream();
    }
  }

  /** Rows that are being written to the table. */
  note(rows: readonly HistoryRow[]): void {
    for (const { stream } of this.#streams.values()) stream.note(rows);
  }

  /** The table has all up to `position`. */
  written(position: number, lost: boolean): void {
    const now = performance.now();
    for (const [name, entry] of this.#streams) {
      entry.stream.written(position, lost);
      if (entry.stream.ready) entry.wake?.();
      else if (!entry.wake && now - entry.lastMs > forgottenAfterMs) this.#streams.delete(name);
    }
  }

  #entry({ environment, stream: name, open, cursor }: AwaitChangesRequest): Entry {
    if (open) {
      const before = this.#streams.get(name);
      const entry: Entry = { stream: new ChangeStream(this.#source, environment, open, cursor, this.#idOf), lastMs: performance.now(), wake: undefined };
      this.#streams.set(name, entry);
      before?.wake?.();
      if (this.#streams.size > mostStreams) this.#forgetOne();
      return entry;
    }
    const entry = this.#streams.get(name);
    if (!entry) throw unknownStream();
    entry.wake?.();
    entry.stream.resume(cursor);
    return entry;
  }

  #sleep(entry: Entry, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting -= 1;
        entry.wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting += 1;
      entry.wake = wake;
    });
  }

  #forgetOne(): void {
    let oldest: { readonly name: string; readonly entry: Entry } | undefined;
    for (const [name, entry] of this.#streams) if (!oldest || entry.lastMs < oldest.entry.lastMs) oldest = { name, entry };
    if (!oldest) return;
    this.#streams.delete(oldest.name);
    oldest.entry.wake?.();
  }
}

function unknownStream() {
  return refusal("WATCH_UNKNOWN", "this history does not know the stream (any more); open it again");
}

function empty(cursor: string): AwaitChangesResponse {
  return { $typeName: "runlane.internal.v1.AwaitChangesResponse", cursor, changes: [], unknownRunIds: [] };
}
