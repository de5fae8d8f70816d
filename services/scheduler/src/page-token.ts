import { createHash } from "node:crypto";
import { invalidFields } from "@runlane/platform";

/** What a page token belongs to: the method and everything that decides what its pages hold. A token of one list is no token of another. */
export interface PagedList {
  readonly method: string;
  readonly environment: string;
  /** What else decides, as text. Default: nothing. */
  readonly filter?: string;
}

const checksumBytes = 6;

/** The token of the page after `last`: URL-safe, opaque, with a checksum that tells a token of this list from anything else. It is no secret. */
export function pageToken(list: PagedList, last: string): string {
  return Buffer.concat([checksum(list, last), Buffer.from(last)]).toString("base64url");
}

/** Where the page of a token starts: after this. Empty for the first page. @throws ConnectError INVALID_ARGUMENT if no page of this list gave the token out. */
export function pageStart(list: PagedList, token: string): string {
  if (token === "") return "";
  const bytes = Buffer.from(token, "base64url");
  const last = bytes.toString("utf8", checksumBytes);
  // Comparing tokens, not checksums: Node decodes base64 leniently, so that several texts would give the same bytes.
  if (bytes.length <= checksumBytes || pageToken(list, last) !== token) {
    throw invalidFields([{ field: "page_token", description: "must be empty or the next_page_token of an earlier page of the same list" }]);
  }
  return last;
}

function checksum({ method, environment, filter }: PagedList, last: string): Buffer {
  return createHash("sha256")
    .update(JSON.stringify(filter === undefined ? [method, environment, last] : [method, environment, filter, last]))
    .digest()
    .subarray(0, checksumBytes);
}
