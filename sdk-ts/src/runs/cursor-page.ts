import type { PagePromise } from "./page-promise.js";

/** Where the neighbours of a page are; undefined if there are none. */
export interface Pagination {
  /** Of the page of older items. */
  next?: string;
  /** Of the page of newer items. */
  previous?: string;
}

/** One page of a list, newest first; iterating over it goes on over the pages behind it. Shape and names are Trigger.dev's. */
export class CursorPage<T> implements AsyncIterable<T> {
  readonly data: T[];
  readonly pagination: Pagination;
  readonly #fetch: (token: string) => Promise<CursorPage<T>>;

  constructor(data: T[], pagination: Pagination, fetch: (token: string) => Promise<CursorPage<T>>) {
    this.data = data;
    this.pagination = pagination;
    this.#fetch = fetch;
  }

  /** The items; the same as `data`. */
  getPaginatedItems(): T[] {
    return this.data;
  }

  /** Whether there are older items. */
  hasNextPage(): boolean {
    return this.pagination.next !== undefined;
  }

  /** Whether there are newer items. */
  hasPreviousPage(): boolean {
    return this.pagination.previous !== undefined;
  }

  /** Reads the page of older items. @throws Error if there is none. */
  getNextPage(): Promise<CursorPage<T>> {
    return this.#get(this.pagination.next, "next");
  }

  /** Reads the page of newer items. @throws Error if there is none. */
  getPreviousPage(): Promise<CursorPage<T>> {
    return this.#get(this.pagination.previous, "previous");
  }

  /** This page and those behind it. */
  async *iterPages(): AsyncGenerator<CursorPage<T>, void, undefined> {
    for (let page: CursorPage<T> = this; ; page = await page.getNextPage()) {
      yield page;
      if (!page.hasNextPage()) return;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.iterPages()) yield* page.data;
  }

  async #get(token: string | undefined, which: string): Promise<CursorPage<T>> {
    if (token === undefined) throw new Error(`there is no ${which} page`);
    return await this.#fetch(token);
  }
}

/** A page that is on its way: await it, or iterate over all items of the list at once. */
export type CursorPagePromise<T> = PagePromise<T, CursorPage<T>>;
