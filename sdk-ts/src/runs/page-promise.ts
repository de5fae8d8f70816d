/** A page that is on its way: await it, or iterate over all items of the list at once. */
export class PagePromise<T, Page extends AsyncIterable<T>> implements PromiseLike<Page>, AsyncIterable<T> {
  readonly #page: Promise<Page>;

  constructor(page: Promise<Page>) {
    this.#page = page;
    // Whoever only iterates hears of a failure there.
    page.catch(() => {});
  }

  // biome-ignore lint/suspicious/noThenProperty: it is awaited, as in Trigger.dev
  then<A = Page, B = never>(done?: ((page: Page) => A | PromiseLike<A>) | null, failed?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    return this.#page.then(done, failed);
  }

  /** As of a promise. */
  catch<B>(failed: (reason: unknown) => B | PromiseLike<B>): Promise<Page | B> {
    return this.#page.catch(failed);
  }

  /** As of a promise. */
  finally(done: () => void): Promise<Page> {
    return this.#page.finally(done);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    yield* await this.#page;
  }
}
