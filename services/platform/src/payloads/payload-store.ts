import { randomBytes } from "node:crypto";
import type { ConnectError } from "@connectrpc/connect";
import { refusal } from "../errors.js";

/** What binds payloads that are kept apart. The protos state each limit beside the field that it binds. */
export const payloadLimits = {
  /** Bytes of a payload or an output that travels by reference. */
  bytes: 10 * 1024 * 1024,
  /** Bytes of one chunk, on the wire and in the store. */
  chunkBytes: 256 * 1024,
  /** Bytes of a payload that is put by one message. */
  uploadBytes: 2 * 1024 * 1024,
  /** Characters of a reference. */
  reference: 64,
} as const;

/** Which payload: its environment, and the reference that the server minted for it. */
export interface PayloadName {
  readonly environment: string;
  readonly reference: string;
}

/**
 * Bytes of payloads and outputs that are too large for the log. What stands in it means nothing by itself: the owner's record says whether runs may refer to it.
 *
 * Every method fails with LOG_UNAVAILABLE if the store cannot be reached.
 */
export interface PayloadStore {
  /**
   * Stores a payload under a name that was never used before, holding no more than two chunks in memory. Resolves, with its size in bytes, once it is on disk.
   *
   * Rejects with what `chunks` throws, or LOG_FULL; then no one can read it, and what was stored so far waits for the sweep.
   */
  put(name: PayloadName, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number>;

  /** Reads a payload, chunk by chunk as the reader asks. Throws PAYLOAD_NOT_FOUND if there is none, in the middle too if it is removed meanwhile. */
  get(name: PayloadName): AsyncIterable<Uint8Array>;

  /** Removes a payload, whole or half stored. Resolves if there is none, too. */
  remove(name: PayloadName): Promise<void>;

  /** References of everything of an environment, whole or half stored. */
  list(environment: string): Promise<string[]>;

  /** When something was last written under this name, in milliseconds of the Unix epoch; undefined if there is nothing. */
  lastWritten(name: PayloadName): Promise<number | undefined>;
}

/** A new reference: 128 random bits. */
export function mintReference(): string {
  return `pay_${randomBytes(16).toString("base64url")}`;
}

/** Whether the server could have minted this reference; what it could not have is never asked of the store. */
export function looksLikeReference(text: string): boolean {
  return /^pay_[A-Za-z0-9_-]{22}$/.test(text);
}

/** NOT_FOUND with reason PAYLOAD_NOT_FOUND. */
export function payloadNotFound(reference: string): ConnectError {
  const name = reference.slice(0, payloadLimits.reference);
  return refusal("PAYLOAD_NOT_FOUND", `there is no payload ${name}: it was never stored, or is deleted because nothing referred to it`, {
    metadata: { reference: name },
    resource: { type: "payload", name },
  });
}

/** RESOURCE_EXHAUSTED with reason PAYLOAD_TOO_LARGE. */
export function payloadTooLarge(limit: number): ConnectError {
  return refusal("PAYLOAD_TOO_LARGE", `the payload has more than ${limit} bytes, which is the limit`, { metadata: { limit: String(limit) } });
}
