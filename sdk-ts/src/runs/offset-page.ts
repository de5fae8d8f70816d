import { refuseUnsupported } from "../unsupported.js";
import { PagePromise } from "./page-promise.js";

/** Where a page of a list is. */
export interface OffsetPagination {
  /** Counts from 1. */
  currentPage: number;
  totalPages: number;
  /** Items on all pages. */
  count: number;
}

/** One page of a list in which pages have numbers; iterating over it goes on over the pages behind it. Shape and names are Trigger.dev's. */
export class OffsetLimitPage<T> implements AsyncIterable<T> {
  readonly data: T[];
  readonly pagination: OffsetPagination;
  readonly #fetch: (page: number) => Promise<OffsetLimitPage<T>>;

  constructor(data: T[], pagination: OffsetPagination, fetch: (page: number) => Promise<OffsetLimitPage<T>>) {
    this.data = data;
    this.pagination = pagination;
    this.#fetch = fetch;
  }

  /** The items; the same as `data`. */
  getPaginatedItems(): T[] {
    return this.data;
  }

  hasNextPage(): boolean {
    return this.pagination.currentPage < this.pagination.totalPages;
  }

  hasPreviousPage(): boolean {
    return this.pagination.currentPage > 1;
  }

  /** Reads the next page. @throws Error if there is none. */
  getNextPage(): Promise<OffsetLimitPage<T>> {
    if (!this.hasNextPage()) return Promise.reject(new Error("there is no next page"));
    return this.#fetch(this.pagination.currentPage + 1);
  }

  /** Reads the page before. @throws Error if there is none. */
  getPreviousPage(): Promise<OffsetLimitPage<T>> {
    if (!this.hasPreviousPage()) return Promise.reject(new Error("there is no previous page"));
    return this.#fetch(this.pagination.currentPage - 1);
  }

  /** This page and those behind it. */
  async *iterPages(): AsyncGenerator<OffsetLimitPage<T>, void, undefined> {
    for (let page: OffsetLimitPage<T> = this; ; page = await page.getNextPage()) {
      yield page;
      if (!page.hasNextPage()) return;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.iterPages()) yield* page.data;
  }
}

/** A page that is on its way: await it, or iterate over all items of the list at once. */
export type OffsetLimitPagePromise<T> = PagePromise<T, OffsetLimitPage<T>>;

/** Which page of a list is asked for. */
export interface OffsetPageOptions {
  /** Counts from 1. Default 1. */
  page?: number;
  /** Items on a page, 1 to 100. Default 25. */
  perPage?: number;
}

/** A part of a list as the server gives it. */
export interface ListPart<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
  readonly totalCount: bigint;
}

const defaultPerPage = 25;
const mostPerPage = 100;
/** Items that the server gives at once. */
const partSize = 1_000;

type ReadPart<T> = (pageSize: number, pageToken: string) => Promise<ListPart<T>>;

/** Lists by pages that have numbers. The page fails with an Error for options that cannot be; `where` begins its message. */
export function listByOffset<T>(where: string, options: OffsetPageOptions, read: ReadPart<T>): OffsetLimitPagePromise<T> {
  const first = async () => {
    refuseUnsupported(where, options, ["page", "perPage"]);
    return await readPage(where, options, read);
  };
  return new PagePromise(first());
}

/** Reads a page by its number. The server's lists have places instead of numbers, so everything before the page is read, too. */
async function readPage<T>(where: string, { page = 1, perPage = defaultPerPage }: OffsetPageOptions, read: ReadPart<T>): Promise<OffsetLimitPage<T>> {
  if (!Number.isInteger(page) || page < 1) throw new Error(`${where}: page is a whole number from 1`);
  if (!Number.isInteger(perPage) || perPage < 1 || perPage > mostPerPage) throw new Error(`${where}: perPage is a whole number from 1 to ${mostPerPage}`);
  let before = (page - 1) * perPage;
  const data: T[] = [];
  let token = "";
  let count = 0;
  do {
    const part = await read(Math.min(partSize, before + perPage - data.length), token);
    data.push(...part.items.slice(before, before + perPage - data.length));
    before = Math.max(0, before - part.items.length);
    token = part.nextPageToken;
    count = Number(part.totalCount);
  } while (token !== "" && data.length < perPage);
  const pagination = { currentPage: page, totalPages: Math.max(1, Math.ceil(count / perPage)), count };
  return new OffsetLimitPage(data, pagination, (other) => readPage(where, { page: other, perPage }, read));
}
