import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Log, LogClosed, LogConflict } from "./log.js";

/** Something that the suite can open logs on. */
export interface LogFixture {
  /** Opens a log on the fixture's records: one more writer. The fixture closes it in the end. */
  open(): Promise<Log>;
  /** Takes away whatever the fixture made. */
  close(): Promise<void>;
}

/** The behaviour of every Log. */
export function logSuite(name: string, makeFixture: () => Promise<LogFixture>): void {
  describe(`${name} is a log`, () => {
    let fixture: LogFixture;
    let log: Log;
    beforeEach(async () => {
      fixture = await makeFixture();
      log = await fixture.open();
    });
    afterEach(() => fixture.close());

    test("an empty log: last is 0, there is nothing to read", async () => {
      expect(await log.last()).toBe(0);
      expect(await log.first()).toBe(1);
      expect(await log.at(1)).toBeUndefined();
      expect(await readAll(log, 1)).toEqual([]);
    });

    test("records get the sequences 1, 2, 3, … and are read in their order", async () => {
      await fill(log, 5);
      expect(await log.last()).toBe(5);
      expect(await readAll(log, 1)).toEqual(["1:a1", "2:a2", "3:a3", "4:a4", "5:a5"]);
      expect(await readAll(log, 4)).toEqual(["4:a4", "5:a5"]);
      expect(await readAll(log, 6)).toEqual([]);
      expect(text(await log.at(3))).toBe("a3");
      expect(await log.at(6)).toBeUndefined();
    });

    test("any bytes are a record, up to 512 KiB; none at all are not", async () => {
      const records = [new Uint8Array([0]), Uint8Array.from({ length: 256 }, (_, i) => i), new Uint8Array(512 * 1024).fill(7), bytes("\r\n")];
      for (const [index, record] of records.entries()) await log.append(index, record);
      const read: Uint8Array[] = [];
      for await (const entry of log.read(1)) read.push(entry.record);
      expect(read.map((record) => Buffer.compare(record, records.shift() ?? Buffer.alloc(0)))).toEqual([0, 0, 0, 0]);
      await expect(log.append(4, new Uint8Array(0))).rejects.toThrow(RangeError);
    });

    test("what was appended may be overwritten by its owner afterwards", async () => {
      const record = bytes("once");
      await log.append(0, record);
      record.fill(0);
      expect(text(await log.at(1))).toBe("once");
    });

    test("reading goes over many records, of which none is missing and none comes twice", async () => {
      await fill(log, 2_100);
      const read = await readAll(log, 1);
      expect(read).toHaveLength(2_100);
      expect(read.every((line, index) => line === `${index + 1}:a${index + 1}`)).toBe(true);
    });

    test("reading ends with the record that was last when it began", async () => {
      await fill(log, 3);
      const seen: number[] = [];
      for await (const { sequence } of log.read(1)) {
        seen.push(sequence);
        if (sequence === 1) await log.append(3, bytes("late"));
      }
      expect(seen).toEqual([1, 2, 3]);
    });

    test("reading may be left early", async () => {
      await fill(log, 3);
      for await (const { sequence } of log.read(1)) if (sequence === 2) break;
      expect(await log.append(3, bytes("a4"))).toBe(4);
    });

    test("purging deletes what is below, and the last sequence stays", async () => {
      await fill(log, 5);
      await log.purge(3);
      expect(await readAll(log, 1)).toEqual(["3:a3", "4:a4", "5:a5"]);
      expect(await log.at(2)).toBeUndefined();
      expect(await log.first()).toBe(3);
      await log.purge(2);
      await log.purge(0);
      expect(await readAll(log, 1)).toEqual(["3:a3", "4:a4", "5:a5"]);
      await log.purge(6);
      expect(await log.first()).toBe(6);
      expect(await readAll(log, 1)).toEqual([]);
      expect(await log.last()).toBe(5);
      expect(await log.append(5, bytes("a6"))).toBe(6);
      expect(await readAll(log, 1)).toEqual(["6:a6"]);
    });

    test("purging beyond the end deletes everything and moves nothing", async () => {
      await fill(log, 2);
      await log.purge(1_000);
      expect(await log.last()).toBe(2);
      expect(await log.append(2, bytes("a3"))).toBe(3);
    });

    test("an append that expects another last sequence is a conflict, and appends nothing", async () => {
      await fill(log, 2);
      for (const expected of [0, 1]) await expect(log.append(expected, bytes("x"))).rejects.toThrow(LogConflict);
      expect(await log.last()).toBe(2);
      expect(await log.append(2, bytes("a3"))).toBe(3);
    });

    test("a log that is shorter than its writer remembers is a conflict", async () => {
      await fill(log, 2);
      await expect(log.append(3, bytes("x"))).rejects.toThrow(LogConflict);
      expect(await log.last()).toBe(2);
    });

    test("of two writers with the same expectation one wins, and the other learns it", async () => {
      const other = await fixture.open();
      await fill(log, 1);
      expect(await other.append(1, bytes("b2"))).toBe(2);
      await expect(log.append(1, bytes("a2"))).rejects.toThrow(LogConflict);
      expect(await readAll(log, 1)).toEqual(["1:a1", "2:b2"]);
      const outcomes = await Promise.allSettled([log.append(2, bytes("a3")), other.append(2, bytes("b3"))]);
      expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(["fulfilled", "rejected"]);
      expect(await log.last()).toBe(3);
    });

    test("one append at a time", async () => {
      const first = log.append(0, bytes("a1"));
      await expect(log.append(1, bytes("a2"))).rejects.toThrow("one at a time");
      expect(await first).toBe(1);
      expect(await log.append(1, bytes("a2"))).toBe(2);
    });

    test("a closed log refuses everything; its records stay", async () => {
      await fill(log, 1);
      await log.close();
      await log.close();
      await expect(log.append(1, bytes("x"))).rejects.toThrow(LogClosed);
      await expect(log.last()).rejects.toThrow(LogClosed);
      await expect(log.at(1)).rejects.toThrow(LogClosed);
      await expect(log.purge(1)).rejects.toThrow(LogClosed);
      await expect(readAll(log, 1)).rejects.toThrow(LogClosed);
      expect(await readAll(await fixture.open(), 1)).toEqual(["1:a1"]);
    });

    test("closing rejects a pending append", async () => {
      const append = log.append(0, bytes("a1"));
      const outcome = append.then(
        () => "appended",
        (error: unknown) => error,
      );
      await log.close();
      expect(await outcome).toBeInstanceOf(LogClosed);
    });

    test("a log that answers is healthy", async () => {
      await fill(log, 1);
      expect(log.healthy).toBe(true);
    });
  });
}

/** A record of a few letters. */
export const bytes = (letters: string): Uint8Array => new TextEncoder().encode(letters);

/** The letters of a record. */
export const text = (record: Uint8Array | undefined): string | undefined => (record === undefined ? undefined : new TextDecoder().decode(record));

/** Appends the records a1, a2, … to an empty log. */
export async function fill(log: Log, count: number): Promise<void> {
  for (let last = 0; last < count; last++) await log.append(last, bytes(`a${last + 1}`));
}

/** Reads everything as lines `sequence:letters`. */
export async function readAll(log: Log, from: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const { sequence, record } of log.read(from)) lines.push(`${sequence}:${text(record)}`);
  return lines;
}
