import { refusal } from "@runlane/platform";

/** Where a stream of changes stands: everything up to here has been told. */
export interface ChangeCursor {
  /** Sequence in the log. */
  readonly position: number;
  /** Among the runs that changed there, up to this number. */
  readonly number: number;
}

const form = /^([a-z0-9]*)\.([a-z0-9]{1,11})\.([a-z0-9]{1,11})$/;

/** Everything up to and including a position. */
export function cursorAfter(position: number): ChangeCursor {
  return { position: position + 1, number: 0 };
}

/** A cursor as text; `tag` tells the log from others. */
export function cursorText(tag: string, { position, number }: ChangeCursor): string {
  return `${tag}.${position.toString(36)}.${number.toString(36)}`;
}

/** The cursor in a text that was given out for the log of this tag, which reaches to `tail`. @throws ConnectError OUT_OF_RANGE if it was not. */
export function cursorOf(tag: string, text: string, tail: number): ChangeCursor {
  const [, itsTag, position = "", number = ""] = form.exec(text) ?? [];
  const cursor = { position: Number.parseInt(position, 36), number: Number.parseInt(number, 36) };
  if (itsTag !== tag || !(cursor.position <= tail + 1)) {
    throw refusal("CURSOR_OUT_OF_RANGE", "the cursor is of another log, or was never given out; begin without one");
  }
  return cursor;
}
