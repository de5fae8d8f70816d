import {
  type GrpcService,
  grpcService,
  invalidFields,
  looksLikeReference,
  mintReference,
  type PayloadStore,
  payloadLimits,
  payloadNotFound,
  payloadTooLarge,
  principalOf,
} from "@runlane/platform";
import { PayloadService, type PutPayloadRequest } from "@runlane/platform/gen/runlane/v1/payload_service_pb.js";
import type { OwnerClient } from "./owner-client.js";

/** What the public PayloadService stands on. */
export interface PayloadServiceSurroundings {
  readonly owner: OwnerClient;
  /** Calls that come before it is there wait. */
  readonly payloads: PayloadStore | Promise<PayloadStore>;
}

/** The public PayloadService: bytes go into the store, and the owner records that they are there. Only then has anybody heard of the reference. */
export function payloadService({ owner, payloads }: PayloadServiceSurroundings): GrpcService {
  const put = async (environment: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, signal: AbortSignal) => {
    const store = await payloads;
    const reference = mintReference();
    const size = await store.put({ environment, reference }, chunks);
    signal.throwIfAborted();
    const record = { environment, reference, sizeBytes: BigInt(size) };
    await owner.call((service, options) => service.recordPayload(record, options), { signal });
    return { reference, sizeBytes: record.sizeBytes };
  };
  return grpcService(PayloadService, {
    async putPayload(requests, context) {
      return await put(principalOf(context).environment, gathered(requests), context.signal);
    },

    async uploadPayload({ data }, context) {
      if (data.length > payloadLimits.uploadBytes) throw payloadTooLarge(payloadLimits.uploadBytes);
      const { reference } = await put(principalOf(context).environment, partsOf(data), context.signal);
      return { reference };
    },

    async *getPayload({ reference }, context) {
      if (!looksLikeReference(reference)) throw payloadNotFound(reference);
      const store = await payloads;
      for await (const chunk of store.get({ environment: principalOf(context).environment, reference })) yield { chunk };
    },
  });
}

/** The bytes of requests in chunks as the store wants them, however small the client made its own: each costs the store a write to the disk. */
async function* gathered(requests: AsyncIterable<PutPayloadRequest>): AsyncGenerator<Uint8Array> {
  let total = 0;
  let buffer = new Uint8Array(payloadLimits.chunkBytes);
  let filled = 0;
  for await (const { chunk } of requests) {
    if (chunk.length > payloadLimits.chunkBytes) {
      throw invalidFields([{ field: "chunk", description: `must be at most ${payloadLimits.chunkBytes} bytes, has ${chunk.length}` }]);
    }
    total += chunk.length;
    if (total > payloadLimits.bytes) throw payloadTooLarge(payloadLimits.bytes);
    const fits = Math.min(chunk.length, buffer.length - filled);
    buffer.set(chunk.subarray(0, fits), filled);
    filled += fits;
    if (filled < buffer.length) continue;
    yield buffer;
    // The store may keep what it was given until it has written it.
    buffer = new Uint8Array(payloadLimits.chunkBytes);
    buffer.set(chunk.subarray(fits));
    filled = chunk.length - fits;
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}

function* partsOf(data: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < data.length; from += payloadLimits.chunkBytes) yield data.subarray(from, from + payloadLimits.chunkBytes);
}
