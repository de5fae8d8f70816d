import type { MetadataOperation } from "./metadata-operation.js";
import { metadataPath } from "./metadata-path.js";

/** Changes that wait to be sent, as few as have the same effect: of two values for a key the last stays, and increments of a key become one. */
export class PendingOperations {
  #replace: MetadataOperation | undefined;
  /** By the first name of their path: changes of different ones may change places, those of the same one may not. */
  readonly #byName = new Map<string, MetadataOperation[]>();

  get isEmpty(): boolean {
    return this.#replace === undefined && this.#byName.size === 0;
  }

  add(operation: MetadataOperation): void {
    if (operation.type === "replace") {
      this.#replace = operation;
      this.#byName.clear();
      return;
    }
    const { key } = operation;
    const path = metadataPath(key);
    const name = String(path[0]);
    const before = this.#byName.get(name);
    const last = before?.at(-1);
    if (before === undefined || (path.length === 1 && (operation.type === "set" || operation.type === "delete"))) this.#byName.set(name, [operation]);
    else if (last?.type === "increment" && operation.type === "increment" && last.key === key)
      before[before.length - 1] = { type: "increment", key, value: last.value + operation.value };
    else if (last !== undefined && last.type !== "replace" && last.type !== "delete" && operation.type === "set" && last.key === key)
      before[before.length - 1] = operation;
    else before.push(operation);
  }

  /** All of them, in an order that has their effect. */
  all(): MetadataOperation[] {
    const operations = [...this.#byName.values()].flat();
    return this.#replace === undefined ? operations : [this.#replace, ...operations];
  }

  /** Takes all of them away. */
  take(): MetadataOperation[] {
    const operations = this.all();
    this.#replace = undefined;
    this.#byName.clear();
    return operations;
  }
}
