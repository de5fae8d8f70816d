import { pageSizeOf } from "./page-size.js";
import { type PagedList, pageStart, pageToken } from "./page-token.js";

/**
 * Reads a page of a list that has an order, as the token and the size of a request want it.
 *
 * @param read asks the owner for at most `most` entries behind the place `start`; empty for the first ones
 * @param placesOf the places of the entries that an answer has
 * @throws ConnectError INVALID_ARGUMENT for a size or a token that cannot be; what `read` throws
 */
export async function readPage<Answer>(
  list: PagedList,
  request: { readonly pageSize: number; readonly pageToken: string },
  read: (start: string, most: number) => Promise<Answer>,
  placesOf: (answer: Answer) => readonly string[],
): Promise<Answer & { nextPageToken: string }> {
  const most = pageSizeOf(request.pageSize);
  const answer = await read(pageStart(list, request.pageToken), most);
  const last = placesOf(answer).at(-1);
  // A full page may be the last one, and a page may be shorter because its entries are large: only a look behind it tells. A token that leads to an empty page would be a lie.
  const more = last !== undefined && placesOf(await read(last, 1)).length > 0;
  return { ...answer, nextPageToken: more ? pageToken(list, last) : "" };
}
