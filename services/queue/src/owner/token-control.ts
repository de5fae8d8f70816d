import { timingSafeEqual } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { refusal } from "@runlane/platform";
import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type {
  CompleteWaitTokenRequest,
  CreateWaitTokenRequest,
  ListWaitTokensRequest,
  ListWaitTokensResponse,
  WaitToken as WaitTokenMessage,
} from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import type { ListTokensRequest } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import { decideCompleteToken, decideCreateToken } from "../engine/decide-token.js";
import type { Durable } from "../engine/durable.js";
import type { Environment } from "../engine/environment.js";
import { tokenNumberOf } from "../engine/run-id.js";
import { tokenMessageOf, tokenStateOf } from "../engine/view-token.js";
import type { WaitToken } from "../engine/wait-token.js";
import type { GroupCommit } from "./group-commit.js";
import { refusalFrom } from "./protocol-status.js";

/** A page of tokens is closed at about this many bytes: the internal transport carries 1 MiB. */
const pageBytes = 512 * 1024;
/** Tokens that one page looks at, at most: filters that hardly any token meets must not hold the partition up. */
const lookedAt = 50_000;

/** What tokens stand on: their partition, as far as they need it. */
export interface TokenControlOptions {
  readonly commit: GroupCommit;
  readonly durable: Durable;
  /** A text that nobody can guess. */
  readonly secret: () => string;
  /** @throws ConnectError if no new work is taken */
  readonly admit: () => void;
  /** @throws ConnectError if the partition is another's */
  readonly mustOwn: () => void;
  /** @throws ConnectError if there is none of this name */
  readonly environment: (name: string) => Environment;
}

/** Creates, completes and shows the tokens of a partition. */
export class TokenControl {
  readonly #options: TokenControlOptions;

  constructor(options: TokenControlOptions) {
    this.#options = options;
  }

  /** Creates a token, or finds the one that a key or an earlier copy of the request has made. */
  async create({ environment: name, request }: CreateWaitTokenRequest): Promise<{ token: WaitTokenMessage; cached: boolean }> {
    const { admit, environment: environmentOf, commit, secret } = this.#options;
    admit();
    if (!request) throw refusal("INVALID_FIELD", "request must be set");
    const environment = environmentOf(name);
    const bytes = 200 + 3 * request.idempotencyKey.length + request.tags.length * 400;
    const made = commit.decide(bytes, (step) => {
      const given = decideCreateToken(step, environment, request, secret());
      return "reason" in given ? given : { token: tokenMessageOf(environment, given.token), cached: given.cached };
    });
    await commit.settled();
    if ("reason" in made) throw refusalFrom(made);
    return made;
  }

  /** Reads a token. */
  async read(environmentName: string, tokenId: string): Promise<WaitTokenMessage> {
    const { mustOwn, environment: environmentOf, commit } = this.#options;
    mustOwn();
    const environment = environmentOf(environmentName);
    const token = tokenIn(environment, tokenId);
    const message = token && tokenMessageOf(environment, token);
    await commit.settled(concernsTokens);
    if (!message) throw tokenNotFound(tokenId);
    return message;
  }

  /** Completes a token, for somebody who has the environment's key or knows the token's secret. */
  async complete({ environment: name, request, callbackSecret }: CompleteWaitTokenRequest): Promise<WaitTokenMessage> {
    const { admit, commit } = this.#options;
    admit();
    if (!request) throw refusal("INVALID_FIELD", "request must be set");
    const { tokenId, output } = request;
    const found = this.#findForCompletion(name, tokenId, callbackSecret);
    if (!found) throw tokenNotFound(tokenId);
    const { environment, token } = found;
    const decided = commit.decide(
      64 + (output?.data.length ?? 0),
      (step) => decideCompleteToken(step, environment, token, output) ?? tokenMessageOf(environment, token),
    );
    await commit.settled();
    if ("reason" in decided) throw refusalFrom(decided);
    return decided;
  }

  /** A page of tokens, the newest first. */
  async list({ environment: name, request, before, limit }: ListWaitTokensRequest): Promise<Pick<ListWaitTokensResponse, "tokens" | "nextBefore">> {
    const { mustOwn, environment: environmentOf, commit } = this.#options;
    mustOwn();
    const environment = environmentOf(name);
    const page = request ? pageOf(environment, request, Number(before), limit) : { tokens: [], nextBefore: 0n };
    await commit.settled(concernsTokens);
    return page;
  }

  #findForCompletion(name: string, tokenId: string, secret: string): { environment: Environment; token: WaitToken } | undefined {
    const { environment: environmentOf, durable } = this.#options;
    if (name === "" && secret === "") return undefined;
    for (const environment of name === "" ? durable.environments.values() : [environmentOf(name)]) {
      const token = tokenIn(environment, tokenId);
      if (token && (secret === "" || isSame(secret, token.secret))) return { environment, token };
    }
    return undefined;
  }
}

function tokenIn(environment: Environment, tokenId: string): WaitToken | undefined {
  return environment.tokens.byNumber.get(tokenNumberOf(environment, tokenId) ?? 0);
}

/** Takes as long whatever the secret begins with. */
function isSame(given: string, secret: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(secret)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function tokenNotFound(tokenId: string) {
  return refusal("TOKEN_NOT_FOUND", `there is no token ${tokenId.slice(0, 64)}, or it ended long ago`, {
    resource: { type: "token", name: tokenId.slice(0, 64) },
  });
}

function pageOf(environment: Environment, request: ListTokensRequest, before: number, limit: number): Pick<ListWaitTokensResponse, "tokens" | "nextBefore"> {
  const { byNumber, next } = environment.tokens;
  const tokens: WaitTokenMessage[] = [];
  const [oldest] = byNumber.keys();
  let bytes = 0;
  let looked = 0;
  let number = Math.min(before === 0 ? next : before, next) - 1;
  for (; oldest !== undefined && number >= oldest; number--) {
    const full = tokens.length >= limit || bytes > pageBytes || looked >= lookedAt;
    if (full) return { tokens, nextBefore: BigInt(number + 1) };
    looked += 1;
    const token = byNumber.get(number);
    if (!token || !isWanted(token, request)) continue;
    tokens.push(tokenMessageOf(environment, token));
    bytes += 300 + 3 * token.key.length + token.tags.length * 200 + (token.output?.data.length ?? 0);
  }
  return { tokens, nextBefore: 0n };
}

function isWanted(token: WaitToken, { states, tags, idempotencyKey, createdFrom, createdTo }: ListTokensRequest): boolean {
  return (
    !token.timer &&
    (states.length === 0 || states.includes(tokenStateOf(token))) &&
    (tags.length === 0 || tags.some((tag) => token.tags.includes(tag))) &&
    (idempotencyKey === "" || token.key === idempotencyKey) &&
    (!createdFrom || token.createMs >= timestampMs(createdFrom)) &&
    (!createdTo || token.createMs < timestampMs(createdTo))
  );
}

/** Whether an event changes what a reader of tokens sees. */
function concernsTokens({ event }: Event): boolean {
  return event.case === "tokenCreated" || event.case === "tokenCompleted" || event.case === "tokenForgotten";
}
