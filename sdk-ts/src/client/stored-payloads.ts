import { AsyncResource } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { PayloadService } from "#gen/runlane/v1/payload_service_pb.js";
import { createBackoff } from "./backoff.js";
import { errorInfoOf, retryDelayOf } from "./grpc-error.js";

/** Bytes that one message carries. */
const chunkBytes = 256 * 1024;
/** Payloads that are under way at once; the others wait. */
const mostAtOnce = 8;
/** How long to try while the server is away, in milliseconds; and how long if it has never answered, so that a wrong address is soon told. */
const patienceMs = { known: 60_000, unknown: 10_000 } as const;

const noData = new Uint8Array(0);
// The first call opens the connection, which outlives the code that asked and serves others: it must not belong to that code's asynchronous context, which may be a run's.
const outside = new AsyncResource("runlane.StoredPayloads");

/** Payloads and outputs that are too large to travel with their run: put into the server's store, and got from there. Errors are ConnectErrors. */
export class StoredPayloads {
  readonly #service: Client<typeof PayloadService>;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];
  #answered = false;

  constructor(transport: Transport) {
    this.#service = createClient(PayloadService, transport);
  }

  /** Stores a payload; the one that is returned names it, and has no bytes of its own. Tried again while the server is away. */
  async put(payload: Payload, signal?: AbortSignal): Promise<Payload> {
    const { reference } = await this.#persist((options) => this.#service.putPayload(chunksOf(payload.data), options), signal);
    return { ...payload, data: noData, reference };
  }

  /** A payload with its bytes. Tried again while the server is away. */
  async get(payload: Payload, signal?: AbortSignal): Promise<Payload> {
    const { reference = "" } = payload;
    const data = await this.#persist(async (options) => {
      const chunks: Uint8Array[] = [];
      for await (const { chunk } of this.#service.getPayload({ reference }, options)) chunks.push(chunk);
      return Buffer.concat(chunks);
    }, signal);
    const { $typeName, contentType, metadata } = payload;
    return { $typeName, contentType, metadata, data };
  }

  async #persist<T>(task: (options: { signal: AbortSignal | undefined; timeoutMs: number }) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    await this.#turn();
    const since = performance.now();
    const backoff = createBackoff();
    try {
      for (;;) {
        try {
          const result = await outside.runInAsyncScope(task, undefined, { signal, timeoutMs: patienceMs.known });
          this.#answered = true;
          return result;
        } catch (caught) {
          const error = ConnectError.from(caught);
          this.#answered ||= errorInfoOf(error) !== undefined;
          const delay = Math.max(backoff.next(), retryDelayOf(error) ?? 0);
          const limit = this.#answered ? patienceMs.known : patienceMs.unknown;
          if (error.code !== Code.Unavailable || performance.now() - since + delay > limit) throw error;
          await sleep(delay, undefined, { signal }).catch((reason: unknown) => {
            throw ConnectError.from(reason, Code.Canceled);
          });
        }
      }
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#underWay -= 1;
    }
  }

  async #turn(): Promise<void> {
    if (this.#underWay === mostAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#underWay += 1;
  }
}

async function* chunksOf(data: Uint8Array) {
  for (let from = 0; from < data.length; from += chunkBytes) yield { chunk: data.subarray(from, from + chunkBytes) };
}
