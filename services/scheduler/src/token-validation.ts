import { isDurationWithin, isTimestamp, longestDelayMs, optionLimits, type Violation } from "@runlane/platform";
import { type CreateTokenRequest, type ListTokensRequest, TokenState } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import { limits } from "./limits.js";

/** Whether an owner could have made this id of a token. */
export function looksLikeTokenId(tokenId: string): boolean {
  return tokenId.length <= limits.tokenId && /^waitpoint_[A-Za-z0-9_-]+$/.test(tokenId);
}

/** The rules that text breaks as the id of a token. One that merely no token has is NOT_FOUND, and the owner's to say. */
export function tokenIdFaults(tokenId: string): Violation[] {
  return looksLikeTokenId(tokenId) ? [] : [{ field: "token_id", description: 'must be "waitpoint_" and letters and digits, as CreateToken answered it' }];
}

/** The rules that the creation of a token breaks. */
export function createTokenFaults({ requestId, timeout, idempotencyKey, idempotencyKeyTtl, tags }: CreateTokenRequest): Violation[] {
  const violations: Violation[] = [];
  const add = (field: string, description: string) => void violations.push({ field, description });
  if (requestId.length > limits.requestId) add("request_id", `must be 0 to ${limits.requestId} characters`);
  if (timeout && !isDurationWithin(timeout, 0, longestDelayMs)) add("timeout", "must be 0 to 366 days");
  if (idempotencyKey.length > optionLimits.idempotencyKey) add("idempotency_key", `must be at most ${optionLimits.idempotencyKey} characters`);
  if (idempotencyKeyTtl && !isDurationWithin(idempotencyKeyTtl, limits.leastTokenKeyMs, limits.longestTokenKeyMs))
    add("idempotency_key_ttl", "must be 1 s to 30 days");
  if (tags.length > optionLimits.tags || tags.some((tag) => tag.trim() === "" || tag.length > optionLimits.tag))
    add("tags", `must be at most ${optionLimits.tags}, of 1 to ${optionLimits.tag} characters each`);
  return violations;
}

/** The rules that a request for a list of tokens breaks, its page aside. */
export function listTokensFaults({ states, tags, idempotencyKey, createdFrom, createdTo }: ListTokensRequest): Violation[] {
  const violations: Violation[] = [];
  const add = (field: string, description: string) => void violations.push({ field, description });
  if (states.length > limits.filterValues || states.some((state) => TokenState[state] === undefined || state === TokenState.UNSPECIFIED))
    add("states", `must be states of tokens, at most ${limits.filterValues}`);
  if (tags.length > limits.filterValues || tags.some((tag) => tag.length > limits.filterText))
    add("tags", `must be at most ${limits.filterValues}, of at most ${limits.filterText} characters each`);
  if (idempotencyKey.length > optionLimits.idempotencyKey) add("idempotency_key", `must be at most ${optionLimits.idempotencyKey} characters`);
  if (createdFrom && !isTimestamp(createdFrom)) add("created_from", "must be a time of the years 1 to 9999");
  if (createdTo && !isTimestamp(createdTo)) add("created_to", "must be a time of the years 1 to 9999");
  return violations;
}
