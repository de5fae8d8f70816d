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
/** How long one call may take, in milliseconds: 10 MiB over a line of 1.5 Mbit/s. */
const callMs = 60_000;
/** How long to try if the server has never answered, so that a wrong address is soon told. */
const firstContactMs = 10_000;

const noData = new Uint8Array(0);
// The first call opens the connection, which outlives the code that asked and serves others: it must not belong to that code's asynchronous context, which may be a run's.
const outside = new AsyncResource("runlane.StoredPayloads");

/** Payloads and outputs that are too large to travel with their run: put into the server's store, and got from there. Errors are ConnectErrors. */
export class StoredPayloads {
  readonly #service: Client<typeof PayloadService>;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #timeoutMs: number;
  #answered = false;

  /** `timeoutMs` is how long to try while the server is away. Default 60,000; 10,000, and never more than `timeoutMs`, as long as it has never answered. */
  constructor(transport: Transport, { timeoutMs = 60_000 }: { timeoutMs?: number | undefined } = {}) {
    this.#service = createClient(PayloadService, transport);
    this.#timeoutMs = timeoutMs;
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
          const result = await outside.runInAsyncScope(task, undefined, { signal, timeoutMs: callMs });
          this.#answered = true;
          return result;
        } catch (caught) {
          const error = ConnectError.from(caught);
          this.#answered ||= errorInfoOf(error) !== undefined;
          const delay = Math.max(backoff.next(), retryDelayOf(error) ?? 0);
          const limit = this.#answered ? this.#timeoutMs : Math.min(firstContactMs, this.#timeoutMs);
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
