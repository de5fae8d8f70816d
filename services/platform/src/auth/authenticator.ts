import { hash, timingSafeEqual } from "node:crypto";
import { refusal } from "../errors.js";
import type { Authenticate } from "./principal.js";
import type { SecretKey } from "./secret-key.js";

/**
 * Makes what knows these keys. It keeps their hashes only, and takes the same time whatever key it is shown.
 *
 * What it returns throws UNAUTHENTICATED with reason MISSING_KEY or INVALID_KEY.
 */
export function createAuthenticator(keys: readonly SecretKey[]): Authenticate {
  const known = keys.map(({ key, environment }) => ({ hash: hashOf(key), principal: { environment } }));
  return (authorization) => {
    const key = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (key === undefined) throw refusal("MISSING_KEY", "the call has no secret key: send the metadata `authorization: Bearer <secret key>`");
    const shown = hashOf(key);
    let found: (typeof known)[number] | undefined;
    for (const candidate of known) if (timingSafeEqual(candidate.hash, shown)) found = candidate;
    if (!found) throw refusal("INVALID_KEY", "the secret key is not one of this server's");
    return found.principal;
  };
}

function hashOf(key: string): Buffer {
  return hash("sha256", key, "buffer");
}
