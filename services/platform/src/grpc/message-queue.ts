/** Hooks of a {@link MessageQueue}. */
export interface MessageQueueHooks {
  /** Called when 16 messages wait to be read. */
  onFull?(): void;
  /** Called when all were read after `onFull`. */
  onEmpty?(): void;
  /** Called when the reader stops before the end. */
  onReturn?(): void;
}

const fullAt = 16;

/** From callbacks to an async iterable: messages are pushed on one side and read on the other. For one reader. */
export class MessageQueue<T> implements AsyncIterableIterator<T> {
  readonly #messages: T[] = [];
  readonly #hooks: MessageQueueHooks;
  readonly #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  #end: { error?: unknown } | undefined;
  #full = false;

  constructor(hooks: MessageQueueHooks = {}) {
    this.#hooks = hooks;
  }

  /** Adds a message; after the end it is dropped. */
  push(message: T): void {
    if (this.#end) return;
    const reader = this.#waiting.shift();
    if (reader) {
      reader.resolve({ value: message, done: false });
      return;
    }
    this.#messages.push(message);
    if (this.#messages.length >= fullAt && !this.#full) {
      this.#full = true;
      this.#hooks.onFull?.();
    }
  }

  /** Ends the iterable once everything was read; with an error, if given. Further calls do nothing. */
  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = error === undefined ? {} : { error };
    for (const reader of this.#waiting.splice(0)) this.#settle(reader);
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#messages.length > 0) {
      const value = this.#messages.shift() as T;
      if (this.#full && this.#messages.length === 0) {
        this.#full = false;
        this.#hooks.onEmpty?.();
      }
      return Promise.resolve({ value, done: false });
    }
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      if (this.#end) this.#settle(reader);
      else this.#waiting.push(reader);
    });
  }

  return(): Promise<IteratorResult<T>> {
    this.#messages.length = 0;
    if (!this.#end) {
      this.end();
      this.#hooks.onReturn?.();
    }
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** An error is told once; whoever asks again hears of a plain end. */
  #settle(reader: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }): void {
    const end = this.#end;
    if (end !== undefined && "error" in end) {
      this.#end = {};
      reader.reject(end.error);
    } else {
      reader.resolve({ value: undefined, done: true });
    }
  }
}
