import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import type { CreateTokenRequest, ListTokensRequest, Token } from "#gen/runlane/v1/token_service_pb.js";
import { JournalKind } from "#gen/runlane/v1/worker_service_pb.js";
import { defaultClient, homeClient, type RunlaneClient } from "../client/runlane-client.js";
import { throwApiError } from "../errors/api-error.js";
import { journalCall } from "../journal/journal-call.js";
import { isLarge, payloadOf, valueOfPayload } from "../payload.js";
import { CursorPage, type CursorPagePromise } from "../runs/cursor-page.js";
import { PagePromise } from "../runs/page-promise.js";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { tagList } from "../tags/tag-list.js";
import { delayOption, periodMs, periodOption } from "../time/period.js";
import { refuseUnsupported } from "../unsupported.js";
import { listedToken, timeoutError, tokenState, type WaitpointListTokenItem, type WaitpointRetrievedToken, type WaitpointTokenStatus } from "./token-object.js";

/** What a token may be created with. */
export interface CreateWaitpointTokenRequestBody {
  /** When it times out: a text like "10m", counted on the server's clock, or a Date; 366 days ahead at most. Default: never. */
  timeout?: string | Date;
  /** Finds the token that was created with the same key. 2,048 characters at most. */
  idempotencyKey?: string;
  /** How long the key finds it: a text like "1h". Default and at most 30 days. */
  idempotencyKeyTTL?: string;
  /** One, or at most 10, of 1 to 128 characters. */
  tags?: string | string[];
}

/** A token that was created. */
export interface CreateWaitpointTokenResponse {
  id: string;
  /** Whoever POSTs JSON there completes the token with that, without a key. */
  url: string;
  /** An idempotency key found it. */
  isCached: boolean;
  /** Always empty so far: there are no public access tokens. */
  publicAccessToken: string;
}

/** Which tokens `wait.listTokens` shows, and how many on a page. All conditions must hold; of a list, one is enough. */
export interface ListWaitpointTokensQueryParams {
  /** Tokens on a page, 1 to 1,000. Default 100. */
  limit?: number;
  /** `pagination.next` of a page. */
  after?: string;
  status?: WaitpointTokenStatus | WaitpointTokenStatus[];
  idempotencyKey?: string;
  tags?: string | string[];
  /** Created within this time until now: "30m", "7d". */
  period?: string;
  /** Created at this time or later: a Date, or milliseconds of the Unix epoch. */
  from?: Date | number;
  /** Created before this time. */
  to?: Date | number;
}

type TokenId = string | { id: string };
type ListRequest = Partial<Omit<ListTokensRequest, "$typeName" | "$unknown">>;
type CreateRequest = Partial<Omit<CreateTokenRequest, "$typeName" | "$unknown">>;

/** See `wait.createToken`. */
export async function createToken(options: CreateWaitpointTokenRequestBody = {}): Promise<CreateWaitpointTokenResponse> {
  refuseUnsupported("wait.createToken", options, ["timeout", "idempotencyKey", "idempotencyKeyTTL", "tags"]);
  const { timeout, idempotencyKey = "", idempotencyKeyTTL, tags } = options;
  return await createdToken({
    ...(timeout === undefined ? {} : { timeout: timeoutOf(timeout) }),
    idempotencyKey,
    ...(idempotencyKeyTTL === undefined ? {} : { idempotencyKeyTtl: periodOption("wait.createToken: idempotencyKeyTTL", idempotencyKeyTTL) }),
    tags: tags === undefined ? [] : tagList("wait.createToken", tags),
  });
}

/** Creates a token; inside a run once for each call, however often its code runs. */
export async function createdToken(request: CreateRequest): Promise<CreateWaitpointTokenResponse> {
  const runtime = currentRunRuntime();
  if (runtime === undefined) return await create(defaultClient(), request);
  // Its time-out may be computed from the clock, and does not tell it from others.
  const call = journalCall(JournalKind.CREATE_TOKEN, "", request.idempotencyKey ?? "", ...(request.tags ?? []));
  const outcome = await runtime
    .record(call, async (requestId) => ({ case: "output", value: payloadOf(await create(homeClient(), { ...request, requestId }), "the token")! }))
    .catch(throwApiError);
  return valueOfPayload(outcome.case === "output" ? outcome.value : undefined) as CreateWaitpointTokenResponse;
}

async function create(client: RunlaneClient, request: CreateRequest): Promise<CreateWaitpointTokenResponse> {
  const { token, cached } = await client.tokens.createToken(request).catch(throwApiError);
  return { id: token!.id, url: token!.callbackUrl, isCached: cached, publicAccessToken: "" };
}

/** See `wait.completeToken`. */
export async function completeToken<T>(token: TokenId, data?: T): Promise<{ success: true }> {
  const client = presentClient();
  const output = payloadOf(data, "the data for the token");
  const stored = isLarge(output) ? await client.payloads.put(output).catch(throwApiError) : output;
  await client.tokens.completeToken({ tokenId: idOf(token), ...(stored ? { output: stored } : {}) }).catch(throwApiError);
  return { success: true };
}

/** See `wait.retrieveToken`. */
export async function retrieveToken<T>(token: TokenId): Promise<WaitpointRetrievedToken<T>> {
  const client = presentClient();
  const { token: found } = await client.tokens.getToken({ tokenId: idOf(token) }).catch(throwApiError);
  const listed = listedToken(found!);
  if (listed.status === "TIMED_OUT") return { ...listed, error: timeoutError(listed.timeoutAt) };
  if (listed.status === "WAITING") return listed;
  return { ...listed, output: (await outputOf(client, found!.output)) as T };
}

/** What a token was completed with. */
export async function outputOf(client: RunlaneClient, output: Payload | undefined): Promise<unknown> {
  return valueOfPayload(output?.reference ? await client.payloads.get(output).catch(throwApiError) : output);
}

/** See `wait.listTokens`. */
export function listTokens(params: ListWaitpointTokensQueryParams = {}): CursorPagePromise<WaitpointListTokenItem> {
  return new PagePromise(readPage(() => listRequest(params)));
}

async function readPage(requestOf: () => ListRequest): Promise<CursorPage<WaitpointListTokenItem>> {
  const request = requestOf();
  const { tokens, nextPageToken } = await presentClient().tokens.listTokens(request).catch(throwApiError);
  const listed = (tokens as Token[]).map(listedToken);
  return new CursorPage(listed, nextPageToken ? { next: nextPageToken } : {}, (pageToken) => readPage(() => ({ ...request, pageToken })));
}

function listRequest(params: ListWaitpointTokensQueryParams): ListRequest {
  refuseUnsupported("wait.listTokens", params, ["limit", "after", "status", "idempotencyKey", "tags", "period", "from", "to"]);
  const { limit, after, status, idempotencyKey, tags, period, from, to } = params;
  const fromMs = period === undefined ? from && Number(from) : Date.now() - periodMs(period);
  return {
    pageSize: limit ?? 0,
    pageToken: after ?? "",
    states: listOf(status).map(tokenState),
    tags: listOf(tags),
    idempotencyKey: idempotencyKey ?? "",
    ...(fromMs === undefined ? {} : { createdFrom: timestampFromMs(fromMs) }),
    ...(to === undefined ? {} : { createdTo: timestampFromMs(Number(to)) }),
  };
}

function timeoutOf(timeout: string | Date) {
  const delay = delayOption("wait.createToken: timeout", timeout);
  if (delay.case === "delayFor") return delay.value;
  return durationFromMs(Math.max(1, new Date(timeout).getTime() - Date.now()));
}

/** The id of a token that is given as such, or as an object that has it. */
export function idOf(token: TokenId): string {
  return typeof token === "string" ? token : token.id;
}

/** Inside a run its own server's, whatever the code has configured. */
function presentClient(): RunlaneClient {
  return currentRunRuntime() ? homeClient() : defaultClient();
}

function listOf<T>(value: T | readonly T[] | undefined): T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? [...value] : [value as T];
}
