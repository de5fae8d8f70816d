import { randomBytes } from "node:crypto";
import { type Client, Code, ConnectError, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import {
  createMemoryTransport,
  type InternalTransport,
  MemoryOwnership,
  MemoryPayloadStore,
  payloadLimits,
  principalKey,
  reasonOf,
  refusal,
} from "@runlane/platform";
import { PayloadService } from "@runlane/platform/gen/runlane/v1/payload_service_pb.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OwnerClient } from "./owner-client.js";
import { payloadService } from "./payload-service.js";
import { OwnerDouble } from "./testing/owner-double.js";
import { silentLogger } from "./testing/silent-logger.js";

let transport: InternalTransport;
let owner: OwnerDouble;
let store: MemoryPayloadStore;
let recorded: { environment: string; reference: string; sizeBytes: bigint }[];

beforeEach(async () => {
  transport = createMemoryTransport({ logger: silentLogger });
  const directory = new MemoryOwnership();
  owner = new OwnerDouble(transport, directory);
  recorded = [];
  owner.methods = {
    recordPayload: ({ environment, reference, sizeBytes }) => {
      recorded.push({ environment, reference, sizeBytes });
      return {};
    },
  };
  await owner.takeOver(1n);
  store = new MemoryPayloadStore();
  const { service, implementation } = payloadService({ owner: new OwnerClient(transport, directory, 0), payloads: Promise.resolve(store) });
  clientOf = (environment) => {
    const asKey: Interceptor = (next) => (request) => {
      request.contextValues.set(principalKey, { environment });
      return next(request);
    };
    return createClient(
      PayloadService,
      createRouterTransport((router) => router.service(service, implementation), { router: { interceptors: [asKey] } }),
    );
  };
});
afterEach(() => transport.close());

let clientOf: (environment: string) => Client<typeof PayloadService>;
const chunks = async function* (sizes: Iterable<number>) {
  for (const size of sizes) yield { chunk: randomBytes(size) };
};
const failureOf = (call: Promise<unknown>) => call.then(() => expect.unreachable("the call succeeded"), ConnectError.from);
const content = async (reference: string, environment = "dev") => {
  const parts: Uint8Array[] = [];
  for await (const { chunk } of clientOf(environment).getPayload({ reference })) parts.push(chunk);
  return Buffer.concat(parts);
};

test("what was put in chunks of any size is recorded, and got as it was", async () => {
  const sent = Array.from({ length: 300 }, (_, i) => randomBytes((i * 7_919) % 9_000));
  const whole = Buffer.concat(sent);
  const { reference, sizeBytes } = await clientOf("dev").putPayload(
    (async function* () {
      for (const chunk of sent) yield { chunk };
    })(),
  );
  expect(sizeBytes).toBe(BigInt(whole.length));
  expect(recorded).toEqual([{ environment: "dev", reference, sizeBytes }]);
  expect((await content(reference)).equals(whole)).toBe(true);
});

test("small chunks are stored as large ones", async () => {
  const { reference } = await clientOf("dev").putPayload(chunks(Array.from({ length: 700 }, () => 1_000)));
  const sizes: number[] = [];
  for await (const chunk of store.get({ environment: "dev", reference })) sizes.push(chunk.length);
  expect(sizes).toEqual([payloadLimits.chunkBytes, payloadLimits.chunkBytes, 700_000 - 2 * payloadLimits.chunkBytes]);
});

test("10 MiB are taken, one byte more is PAYLOAD_TOO_LARGE", async () => {
  const full = Array.from({ length: 40 }, () => payloadLimits.chunkBytes);
  expect((await clientOf("dev").putPayload(chunks(full))).sizeBytes).toBe(10_485_760n);
  const error = await failureOf(clientOf("dev").putPayload(chunks([...full, 1])));
  expect([error.code, reasonOf(error)]).toEqual([Code.ResourceExhausted, "PAYLOAD_TOO_LARGE"]);
  expect(recorded).toHaveLength(1);
});

test("a chunk of more than 256 KiB is refused", async () => {
  expect(reasonOf(await failureOf(clientOf("dev").putPayload(chunks([payloadLimits.chunkBytes + 1]))))).toBe("INVALID_FIELD");
});

test("one message may bring up to 2 MiB", async () => {
  const data = randomBytes(payloadLimits.uploadBytes);
  const { reference } = await clientOf("dev").uploadPayload({ data });
  expect((await content(reference)).equals(data)).toBe(true);
  const error = await failureOf(clientOf("dev").uploadPayload({ data: new Uint8Array(payloadLimits.uploadBytes + 1) }));
  expect(reasonOf(error)).toBe("PAYLOAD_TOO_LARGE");
});

test("another environment's payload, and one that never was, are PAYLOAD_NOT_FOUND", async () => {
  const { reference } = await clientOf("dev").uploadPayload({ data: Buffer.from("1") });
  for (const get of [content(reference, "prod"), content("pay_0000000000000000000000"), content("../../etc"), content("")]) {
    const error = await failureOf(get);
    expect([error.code, reasonOf(error)]).toEqual([Code.NotFound, "PAYLOAD_NOT_FOUND"]);
  }
});

test("a payload that the owner did not record is not answered", async () => {
  owner.methods = {
    recordPayload: () => {
      throw refusal("LOG_FULL", "the log's store is full");
    },
  };
  await owner.takeOver(2n);
  expect(reasonOf(await failureOf(clientOf("dev").uploadPayload({ data: Buffer.from("1") })))).toBe("LOG_FULL");
});

test("an upload that its client gives up is not recorded", async () => {
  const gone = new AbortController();
  const put = clientOf("dev").putPayload(
    (async function* () {
      yield { chunk: randomBytes(1_000) };
      gone.abort();
      await new Promise(() => {});
    })(),
    { signal: gone.signal },
  );
  expect((await failureOf(put)).code).toBe(Code.Canceled);
  expect(recorded).toEqual([]);
});
