import type { MessageInitShape } from "@bufbuild/protobuf";
import { reasonOf, refusal } from "@runlane/platform";
import type { CompleteWaitTokenRequest, CreateWaitTokenRequest, ListWaitTokensRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import {
  type CompleteTokenRequestSchema,
  type CreateTokenRequestSchema,
  type ListTokensRequestSchema,
  TokenService,
  TokenState,
} from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { failureOf, fieldsOf, publicUrl, type ServedScheduler, serveScheduler } from "./testing/served-scheduler.js";

const token = (number: number) => ({ token: { id: `waitpoint_${number}`, state: TokenState.WAITING }, callbackSecret: `secret${number}` });
let created: CreateWaitTokenRequest[];
let completed: CompleteWaitTokenRequest[];
let lists: ListWaitTokensRequest[];
let served: ServedScheduler;

beforeEach(async () => {
  created = [];
  completed = [];
  lists = [];
  served = await serveScheduler({
    createWaitToken: (request) => {
      created.push(request);
      return { token: token(1), cached: request.request!.idempotencyKey !== "" };
    },
    readWaitToken: ({ tokenId }) => {
      if (tokenId !== "waitpoint_1") throw refusal("TOKEN_NOT_FOUND", "there is none");
      return { token: token(1) };
    },
    completeWaitToken: (request) => {
      completed.push(request);
      return { token: token(1) };
    },
    listWaitTokens: (request) => {
      lists.push(request);
      const newest = request.before === 0n ? 3 : Number(request.before) - 1;
      const tokens = Array.from({ length: Math.min(newest, request.limit) }, (_, i) => token(newest - i));
      return { tokens, nextBefore: BigInt(newest > request.limit ? newest - request.limit + 1 : 0) };
    },
  });
});
afterEach(() => served.close());
const tokens = () => served.client(TokenService);

test("a token is created in the caller's environment, and has an address that completes it", async () => {
  const { token, cached } = await tokens().createToken({ timeout: { seconds: 60n }, idempotencyKey: "k", tags: ["a"] });
  expect(token!.callbackUrl).toBe(`${publicUrl}/api/v1/waitpoints/tokens/waitpoint_1/callback/secret1`);
  expect(cached).toBe(true);
  expect(created).toMatchObject([{ environment: "dev", request: { timeout: { seconds: 60n }, idempotencyKey: "k", tags: ["a"] } }]);
});

test("a request has a name, its own or a new one: the call may be repeated when the owner changes", async () => {
  await tokens().createToken({ requestId: "mine" });
  await tokens().createToken({});
  expect(created.map(({ request }) => request!.requestId)).toEqual(["mine", expect.stringMatching(/^[0-9a-f-]{36}$/)]);
});

test("a token is read and completed by its id", async () => {
  expect((await tokens().getToken({ tokenId: "waitpoint_1" })).token).toMatchObject({ id: "waitpoint_1", callbackUrl: expect.stringContaining("secret1") });
  expect(reasonOf(await failureOf(tokens().getToken({ tokenId: "waitpoint_2" })))).toBe("TOKEN_NOT_FOUND");
  await tokens().completeToken({ tokenId: "waitpoint_1", output: { data: Buffer.from('{"by":"Ann"}') } });
  expect(completed).toMatchObject([{ environment: "dev", callbackSecret: "", request: { tokenId: "waitpoint_1" } }]);
});

test("tokens are listed in pages, which keep to their filter", async () => {
  const first = await tokens().listTokens({ pageSize: 2, tags: ["a"] });
  expect(first.tokens.map(({ id, callbackUrl }) => [id, callbackUrl.endsWith("/secret3")])).toEqual([
    ["waitpoint_3", true],
    ["waitpoint_2", false],
  ]);
  const second = await tokens().listTokens({ pageSize: 2, tags: ["a"], pageToken: first.nextPageToken });
  expect([second.tokens.map(({ id }) => id), second.nextPageToken]).toEqual([["waitpoint_1"], ""]);
  expect(lists.map(({ request, limit }) => [request!.tags, limit])).toEqual([
    [["a"], 2],
    [["a"], 2],
  ]);
  expect(fieldsOf(await failureOf(tokens().listTokens({ tags: ["b"], pageToken: first.nextPageToken })))).toEqual(["page_token"]);
});

test.each<[string[], MessageInitShape<typeof CreateTokenRequestSchema>]>([
  [["request_id"], { requestId: "r".repeat(65) }],
  [["timeout"], { timeout: { seconds: -1n } }],
  [["timeout"], { timeout: { seconds: 367n * 86_400n } }],
  [["idempotency_key"], { idempotencyKey: "k".repeat(2_049) }],
  [["idempotency_key_ttl"], { idempotencyKeyTtl: { seconds: 31n * 86_400n } }],
  [["tags"], { tags: [""] }],
  [["tags"], { tags: Array.from({ length: 11 }, (_, i) => `t${i}`) }],
])("a token that breaks the rule of %j is refused", async (fields, request) => {
  expect(fieldsOf(await failureOf(tokens().createToken(request)))).toEqual(fields);
});

test.each<[string[], MessageInitShape<typeof CompleteTokenRequestSchema>]>([
  [["token_id"], { tokenId: "" }],
  [["token_id"], { tokenId: "run_1" }],
  [["output.data"], { tokenId: "waitpoint_1", output: { data: Buffer.from("{") } }],
  [["output.reference"], { tokenId: "waitpoint_1", output: { data: Buffer.from("1"), reference: "pay_1" } }],
])("a completion that breaks the rule of %j is refused", async (fields, request) => {
  expect(fieldsOf(await failureOf(tokens().completeToken(request)))).toEqual(fields);
});

test("an output of more than 128 KiB travels by reference", async () => {
  const data = Buffer.from(JSON.stringify("x".repeat(128 * 1024)));
  expect(reasonOf(await failureOf(tokens().completeToken({ tokenId: "waitpoint_1", output: { data } })))).toBe("PAYLOAD_TOO_LARGE");
});

test.each<[string[], MessageInitShape<typeof ListTokensRequestSchema>]>([
  [["page_size"], { pageSize: -1 }],
  [["page_token"], { pageToken: "x" }],
  [["states"], { states: [TokenState.UNSPECIFIED] }],
  [["tags"], { tags: ["t".repeat(257)] }],
  [["created_to"], { createdTo: { seconds: 253_402_300_800n } }],
])("a list that breaks the rule of %j is refused", async (fields, request) => {
  expect(fieldsOf(await failureOf(tokens().listTokens(request)))).toEqual(fields);
});
