import { type HttpRoute, itemLimits, payloadFault, readBody, reasonOf } from "@runlane/platform";
import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { limits } from "./limits.js";
import type { OwnerClient } from "./owner-client.js";
import { looksLikeTokenId } from "./token-validation.js";

const pattern = /^\/api\/v1\/waitpoints\/tokens\/([^/]+)\/callback\/([^/]+)$/;

/** The path that completes a token without a key; the one that Trigger.dev has. */
export function callbackPath(tokenId: string, secret: string): string {
  return `/api/v1/waitpoints/tokens/${tokenId}/callback/${secret}`;
}

/**
 * Completes tokens for whoever knows their callback URL: a POST, whose body of JSON becomes the output; none is `{}`. A token that has ended is no error: senders of webhooks repeat what they
 * have no answer to. A wrong secret is answered as a wrong id is, and takes the same time: the owner compares.
 */
export function tokenCallback(owner: OwnerClient): HttpRoute {
  return {
    matches: (path) => pattern.test(path),

    async answer(request, response, ending) {
      if (request.method !== "POST") {
        response.writeHead(405, { allow: "POST", "content-type": "application/json" }).end(`${JSON.stringify({ error: "a callback is a POST" })}\n`);
        return;
      }
      const [, tokenId = "", secret = ""] = pattern.exec(request.url?.split("?", 1)[0] ?? "") ?? [];
      const data = await readBody(request, itemLimits.payloadBytes);
      const output: Payload = { $typeName: "runlane.v1.Payload", contentType: "", data: data.length > 0 ? data : Buffer.from("{}"), metadata: {} };
      const fault = payloadFault(output, "body");
      if (fault) throw fault;
      const completed = await complete(owner, tokenId, secret, output, ending);
      const answer = completed ? { success: true } : { error: "no token has this callback URL" };
      response.writeHead(completed ? 200 : 404, { "content-type": "application/json", "cache-control": "no-store" }).end(`${JSON.stringify(answer)}\n`);
    },
  };
}

async function complete(owner: OwnerClient, tokenId: string, secret: string, output: Payload, signal: AbortSignal): Promise<boolean> {
  // An empty secret would not be compared.
  if (!looksLikeTokenId(tokenId) || secret === "" || secret.length > limits.tokenSecret) return false;
  const asked = { environment: "", request: { tokenId, output }, callbackSecret: secret };
  try {
    await owner.call((service, options) => service.completeWaitToken(asked, options), { signal });
    return true;
  } catch (error) {
    if (reasonOf(error) === "TOKEN_NOT_FOUND") return false;
    throw error;
  }
}
