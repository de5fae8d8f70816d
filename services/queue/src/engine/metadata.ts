import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { MetadataOperation } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { deleteAt, type Json, MetadataFault, putAt, stepsOf, valueAt } from "./json-path.js";

/** Bytes of a run's metadata. */
export const maxMetadataBytes = 256 * 1024;

/**
 * The metadata after operations, in their order.
 *
 * @throws MetadataFault if one of them breaks its rules, or too much would be left
 */
export function changedMetadata(before: Payload | undefined, operations: readonly MetadataOperation[]): Payload {
  try {
    let root = before && before.data.length > 0 ? (JSON.parse(new TextDecoder().decode(before.data)) as Json) : {};
    for (const operation of operations) root = changed(root, operation);
    const data = new TextEncoder().encode(JSON.stringify(root));
    if (data.length > maxMetadataBytes) throw new MetadataFault(`it would have ${data.length} bytes; the limit is ${maxMetadataBytes}`);
    return { $typeName: "runlane.v1.Payload", contentType: "application/json", data, metadata: {} };
  } catch (error) {
    // JSON that nests too deeply for the stack of whoever writes it.
    if (error instanceof RangeError) throw new MetadataFault("it nests too deeply");
    throw error;
  }
}

function changed(root: Json, { key, operation }: MetadataOperation): Json {
  switch (operation.case) {
    case "set":
      putAt(root, stepsOf(key), parsed(key, operation.value));
      return root;
    case "delete":
      deleteAt(root, stepsOf(key));
      return root;
    case "append": {
      const steps = stepsOf(key);
      const list = valueAt(root, steps);
      const value = parsed(key, operation.value);
      if (Array.isArray(list)) list.push(value);
      else putAt(root, steps, list === undefined ? [value] : [list, value]);
      return root;
    }
    case "remove": {
      const steps = stepsOf(key);
      const list = valueAt(root, steps);
      const value = parsed(key, operation.value);
      if (Array.isArray(list))
        putAt(
          root,
          steps,
          list.filter((each) => !isEqual(each, value)),
        );
      return root;
    }
    case "increment": {
      const steps = stepsOf(key);
      const before = valueAt(root, steps);
      const sum = (typeof before === "number" ? before : 0) + operation.value;
      if (!Number.isFinite(sum)) throw new MetadataFault(`${JSON.stringify(key.slice(0, 64))} would be ${sum}, which JSON has no word for`);
      putAt(root, steps, sum);
      return root;
    }
    case "replace": {
      const value = parsed("replace", operation.value);
      if (value === null || typeof value !== "object" || Array.isArray(value)) throw new MetadataFault("it must be an object, and would be something else");
      return value;
    }
    case undefined:
      throw new MetadataFault("an operation is of a kind that this server does not know; it is older than the worker");
  }
}

function parsed(key: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new MetadataFault(`the value for ${JSON.stringify(key.slice(0, 64))} is not JSON`);
  }
}

/** Whether two values are the same, whatever the order of the keys. */
function isEqual(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object" || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && isEqual((a as { [key: string]: Json })[key] as Json, (b as { [key: string]: Json })[key] as Json));
}
