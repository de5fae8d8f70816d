import { isDeepStrictEqual } from "node:util";
import { deleteAt, metadataPath, putAt, valueAt } from "./metadata-path.js";
import type { MetadataValue, RunMetadata } from "./metadata-value.js";

/** Whose metadata is changed. */
export type MetadataTarget = "self" | "parent" | "root";

/** A change of metadata. Values are JSON; see `metadataValue`. */
export type MetadataOperation =
  | { readonly type: "set"; readonly key: string; readonly value: MetadataValue }
  | { readonly type: "delete"; readonly key: string }
  /** What is no list becomes one. */
  | { readonly type: "append"; readonly key: string; readonly value: MetadataValue }
  /** Takes all that is equal out of a list. */
  | { readonly type: "remove"; readonly key: string; readonly value: MetadataValue }
  /** What is no number counts as 0. */
  | { readonly type: "increment"; readonly key: string; readonly value: number }
  | { readonly type: "replace"; readonly value: RunMetadata };

/** Carries a change out on `metadata`, and returns the result: the same object, or what replaces it. */
export function applyOperation(metadata: RunMetadata, operation: MetadataOperation): RunMetadata {
  if (operation.type === "replace") return structuredClone(operation.value);
  const path = metadataPath(operation.key);
  const present = valueAt(metadata, path);
  switch (operation.type) {
    case "set":
      putAt(metadata, path, structuredClone(operation.value));
      break;
    case "delete":
      deleteAt(metadata, path);
      break;
    case "append": {
      const added = structuredClone(operation.value);
      if (Array.isArray(present)) present.push(added);
      else putAt(metadata, path, present === undefined ? [added] : [present, added]);
      break;
    }
    case "remove":
      if (Array.isArray(present)) {
        const kept = present.filter((item) => !isDeepStrictEqual(item, operation.value));
        putAt(metadata, path, kept);
      }
      break;
    case "increment":
      putAt(metadata, path, (typeof present === "number" ? present : 0) + operation.value);
      break;
  }
  return metadata;
}
