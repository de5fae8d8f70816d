/** Rows of a page: few enough that one run that waits for ever keeps little else in memory. */
export const pageRows = 512;

/** A row is empty. */
export const empty = 0;
/** It has a run. */
export const packed = 1;
/** Its run has become a record; the chain goes on through the row until it comes by. */
export const taken = 2;

/** The packed runs of consecutive numbers, a column each for what differs from run to run. */
export interface PackedPage {
  /** `empty`, `packed` or `taken`. */
  readonly state: Uint8Array;
  /** Index of what it has in common with others. */
  readonly template: Uint16Array;
  /** Index of its list. */
  readonly list: Uint32Array;
  /** Bytes of its payload, and where they are in the arena. */
  readonly bytes: Uint32Array;
  readonly at: Float64Array;
  /** Number of the run behind it in its chain; 0: none. */
  readonly next: Float64Array;
  readonly orderMs: Float64Array;
  readonly createMs: Float64Array;
  /** Number of its batch; 0: none, or said elsewhere. */
  readonly batch: Uint32Array;
  /** Which page it is. */
  readonly index: number;
  /** Rows that are not empty. */
  rows: number;
}

/** A page of empty rows. Its columns share one buffer. */
export function createPackedPage(index: number): PackedPage {
  const buffer = new ArrayBuffer(pageRows * 47);
  const column = (which: number) => new Float64Array(buffer, which * pageRows * 8, pageRows);
  const from = 4 * pageRows * 8;
  return {
    index,
    at: column(0),
    next: column(1),
    orderMs: column(2),
    createMs: column(3),
    list: new Uint32Array(buffer, from, pageRows),
    bytes: new Uint32Array(buffer, from + pageRows * 4, pageRows),
    batch: new Uint32Array(buffer, from + pageRows * 8, pageRows),
    template: new Uint16Array(buffer, from + pageRows * 12, pageRows),
    state: new Uint8Array(buffer, from + pageRows * 14, pageRows),
    rows: 0,
  };
}
