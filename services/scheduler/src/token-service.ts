import { randomUUID } from "node:crypto";
import { create, toJsonString } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type GrpcService, grpcService, payloadFault, principalOf, refuseFaults } from "@runlane/platform";
import type { WaitToken } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { ListTokensRequestSchema, type Token, TokenService } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import { callLimits, type OwnerCall, type OwnerClient } from "./owner-client.js";
import { pageSizeOf } from "./page-size.js";
import { type PagedList, pageStart, pageToken } from "./page-token.js";
import { callbackPath } from "./token-callback.js";
import { createTokenFaults, listTokensFaults, tokenIdFaults } from "./token-validation.js";

/**
 * The public TokenService: tokens of the environment of the caller's key.
 *
 * @param publicUrl what callback URLs begin with
 */
export function tokenService(owner: OwnerClient, publicUrl: string): GrpcService {
  const ask = <T>(context: HandlerContext, call: OwnerCall<T>) => owner.call(call, callLimits(context));
  const shown = ({ token, callbackSecret }: WaitToken): Token => {
    if (!token) throw new Error("the owner answered without a token");
    return { ...token, callbackUrl: `${publicUrl}${callbackPath(token.id, callbackSecret)}` };
  };
  const one = (token: WaitToken | undefined) => (token ? shown(token) : shown({ $typeName: "runlane.internal.v1.WaitToken", callbackSecret: "" }));

  const implementation: ServiceImpl<typeof TokenService> = {
    async createToken(asked, context) {
      refuseFaults(createTokenFaults(asked));
      // The call may be repeated when the owner changes, so it needs a name even if its caller gave it none.
      const request = { ...asked, requestId: asked.requestId || randomUUID() };
      const { environment } = principalOf(context);
      const { token, cached } = await ask(context, (service, options) => service.createWaitToken({ environment, request }, options));
      return { token: one(token), cached };
    },

    async getToken({ tokenId }, context) {
      refuseFaults(tokenIdFaults(tokenId));
      const { environment } = principalOf(context);
      const { token } = await ask(context, (service, options) => service.readWaitToken({ environment, tokenId }, options));
      return { token: one(token) };
    },

    async completeToken(request, context) {
      refuseFaults(tokenIdFaults(request.tokenId));
      const fault = request.output && payloadFault(request.output, "output");
      if (fault) throw fault;
      const { environment } = principalOf(context);
      const { token } = await ask(context, (service, options) => service.completeWaitToken({ environment, request, callbackSecret: "" }, options));
      return { token: one(token) };
    },

    async listTokens(request, context) {
      const limit = pageSizeOf(request.pageSize);
      refuseFaults(listTokensFaults(request));
      const { environment } = principalOf(context);
      const filter = toJsonString(ListTokensRequestSchema, create(ListTokensRequestSchema, { ...request, pageSize: 0, pageToken: "" }));
      const list: PagedList = { method: "ListTokens", environment, filter };
      const asked = { environment, request, before: BigInt(pageStart(list, request.pageToken) || 0), limit };
      const { tokens, nextBefore } = await ask(context, (service, options) => service.listWaitTokens(asked, options));
      return { tokens: tokens.map(shown), nextPageToken: nextBefore === 0n ? "" : pageToken(list, String(nextBefore)) };
    },
  };
  return grpcService(TokenService, implementation);
}
