import { createHash } from "node:crypto";
import { IdempotencyScope, type IdempotencyKey as WireKey } from "#gen/runlane/v1/run_pb.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { periodOption } from "../time/period.js";
import { originOf, rememberOrigin } from "./key-catalog.js";

declare const brand: unique symbol;

/** A key as `idempotencyKeys.create` makes it: the SHA-256 of what it was made of, in 64 hexadecimal characters. */
export type IdempotencyKey = string & { readonly [brand]: "IdempotencyKey" };

/** What a key is part of: "run" the run whose code triggers, "attempt" its attempt, "global" nothing. Outside of a run all three are global. */
export type IdempotencyKeyScope = "run" | "attempt" | "global";

/** What a key may be made of. */
export type KeyMaterial = IdempotencyKey | string | readonly string[];

/** Characters of a key. */
const longestKey = 2_048;
const hashLength = 64;
const wireScopes: Record<IdempotencyKeyScope, IdempotencyScope> = {
  run: IdempotencyScope.RUN,
  attempt: IdempotencyScope.ATTEMPT,
  global: IdempotencyScope.GLOBAL,
};

/** Makes a key of what its author gives and of the ids of its scope. @throws Error if it is too long. */
export function madeKey(material: string | readonly string[], scope: IdempotencyKeyScope): IdempotencyKey {
  const parts = typeof material === "string" ? [material] : material;
  const key = parts.join("-");
  if (key.length > longestKey) throw new Error(`an idempotency key has at most 2,048 characters, and this one has ${key.length}`);
  const hash = hashedKey([...parts, ...scopeIds(scope)]);
  rememberOrigin(hash, { key, scope });
  return hash;
}

/** The key of parts that include the ids of a scope. */
export function hashedKey(parts: readonly string[]): IdempotencyKey {
  return createHash("sha256").update(parts.join("-")).digest("hex") as IdempotencyKey;
}

/** Whether a text counts as a key that was made already: as in Trigger.dev, by its length. */
export function isMadeKey(material: KeyMaterial): material is IdempotencyKey {
  return typeof material === "string" && material.length === hashLength;
}

/**
 * The key of a trigger or batch, as contracts have it: one that was made already as it is, a raw one with scope "run", an empty one as none, as in Trigger.dev.
 *
 * @throws Error for a key that is too long, and a time to live that is none. `where` begins its message.
 */
export function wireKey(where: string, material: KeyMaterial | undefined, ttl: string | undefined): WireKey | undefined {
  if (material === undefined || material.length === 0) return undefined;
  const key = isMadeKey(material) ? material : madeKey(material, "run");
  const origin = originOf(key);
  const wire: WireKey = {
    $typeName: "runlane.v1.IdempotencyKey",
    key,
    displayKey: origin?.key ?? "",
    scope: origin ? wireScopes[origin.scope] : IdempotencyScope.UNSPECIFIED,
  };
  if (ttl !== undefined) wire.ttl = periodOption(`${where}: idempotencyKeyTTL`, ttl);
  return wire;
}

/** The key of an item of a batch that has one, as Trigger.dev makes it: of the batch's and the item's index. */
export function itemKey(batchKey: KeyMaterial | undefined, index: number): readonly string[] | undefined {
  if (batchKey === undefined || batchKey.length === 0) return undefined;
  return [...(typeof batchKey === "string" ? [batchKey] : batchKey), String(index)];
}

function scopeIds(scope: IdempotencyKeyScope): string[] {
  const ctx = scope === "global" ? undefined : currentRunRuntime()?.ctx;
  if (ctx === undefined) return [];
  return scope === "run" ? [ctx.run.id] : [ctx.run.id, String(ctx.attempt.number)];
}
