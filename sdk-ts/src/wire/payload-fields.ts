import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import type { FieldCursor } from "./field-cursor.js";
import { type FieldWriter, nestedLength } from "./field-writer.js";

/** Reads a Payload. Its data is a view of the frame. */
export function readPayload(cursor: FieldCursor): Payload {
  const payload: Payload = { $typeName: "runlane.v1.Payload", contentType: "", data: noData, metadata: {} };
  while (cursor.next()) {
    if (cursor.field === 1) payload.contentType = cursor.string;
    else if (cursor.field === 2) payload.data = cursor.bytes;
    else if (cursor.field === 3) readEntry(cursor.message, payload.metadata);
    else if (cursor.field === 4) payload.reference = cursor.string;
  }
  return payload;
}

/** Writes a Payload as a field of a message. */
export function writePayload(writer: FieldWriter, field: number, payload: Payload): void {
  const expected = payloadLength(payload);
  const begun = writer.begin(field, expected);
  if (payload.contentType !== "") writer.string(1, payload.contentType);
  if (payload.data.length > 0) writer.bytes(2, payload.data);
  for (const key in payload.metadata) {
    const value = payload.metadata[key]!;
    const length = 4 + key.length + value.length;
    const entry = writer.begin(3, length);
    writer.string(1, key);
    writer.string(2, value);
    writer.end(entry, length);
  }
  if (payload.reference !== undefined) writer.string(4, payload.reference);
  writer.end(begun, expected);
}

/** Bytes that a payload takes; exactly, if it is ASCII and JSON as the SDK writes it. */
export function payloadLength({ contentType, data, reference }: Payload): number {
  const length = (contentType === "" ? 0 : 2 + contentType.length) + (data.length === 0 ? 0 : nestedLength(data.length));
  return reference === undefined ? length : length + 2 + reference.length;
}

const noData: Uint8Array = new Uint8Array(0);

function readEntry(cursor: FieldCursor, metadata: Record<string, string>): void {
  let key = "";
  let value = "";
  while (cursor.next()) {
    if (cursor.field === 1) key = cursor.string;
    else if (cursor.field === 2) value = cursor.string;
  }
  // Not an assignment: "__proto__" is a key like any other.
  Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true, writable: true });
}
