import { type PayloadName, type PayloadStore, payloadNotFound } from "./payload-store.js";

interface StoredPayload {
  readonly chunks: Uint8Array[];
  whole: boolean;
  writtenMs: number;
}

/** Payloads in memory, for tests and other things that need not outlive their process. */
export class MemoryPayloadStore implements PayloadStore {
  readonly #payloads = new Map<string, StoredPayload>();

  async put(name: PayloadName, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<number> {
    const stored: StoredPayload = { chunks: [], whole: false, writtenMs: Date.now() };
    let bytes = 0;
    for await (const chunk of chunks) {
      this.#payloads.set(keyOf(name), stored);
      stored.chunks.push(Uint8Array.from(chunk));
      stored.writtenMs = Date.now();
      bytes += chunk.length;
    }
    this.#payloads.set(keyOf(name), stored);
    stored.whole = true;
    return bytes;
  }

  async *get(name: PayloadName): AsyncGenerator<Uint8Array> {
    const stored = this.#payloads.get(keyOf(name));
    if (!stored?.whole) throw payloadNotFound(name.reference);
    for (const chunk of stored.chunks) {
      if (!this.#payloads.has(keyOf(name))) throw payloadNotFound(name.reference);
      if (chunk.length > 0) yield chunk;
    }
  }

  async remove(name: PayloadName): Promise<void> {
    this.#payloads.delete(keyOf(name));
  }

  async list(environment: string): Promise<string[]> {
    const prefix = keyOf({ environment, reference: "" });
    return [...this.#payloads.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }

  async lastWritten(name: PayloadName): Promise<number | undefined> {
    return this.#payloads.get(keyOf(name))?.writtenMs;
  }
}

function keyOf({ environment, reference }: PayloadName): string {
  return `${environment}/${reference}`;
}
