import type { HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import type { BidiHandler, BidiListener, BidiStream } from "./bidi-stream.js";
import { MessageQueue } from "./message-queue.js";

/**
 * Turns a bidi handler in callback form into one from async iterable to async iterable, as Connect has it, so that servers other than the gRPC server can serve it.
 *
 * Relies on `context.signal`, which Connect aborts when the call is over, however it ended.
 */
export function bidiToIterable<I, O>(handler: BidiHandler<I, O>): (requests: AsyncIterable<I>, context: HandlerContext) => AsyncIterable<O> {
  return (requests, context) => new IterableStream(handler, requests, context).responses;
}

class IterableStream<I, O> implements BidiStream<O> {
  readonly responses: MessageQueue<O>;
  open = true;
  readonly #listener: BidiListener<I>;
  readonly #signal: AbortSignal;
  #full = false;
  #closed = false;
  #paused: Promise<void> | undefined;
  #unpause = () => {};

  constructor(handler: BidiHandler<I, O>, requests: AsyncIterable<I>, context: HandlerContext) {
    this.#signal = context.signal;
    this.responses = new MessageQueue<O>({
      onFull: () => {
        this.#full = true;
      },
      onEmpty: () => {
        this.#full = false;
        this.#listener.onDrain?.();
      },
      onReturn: () => this.#close(new ConnectError("the client went away", Code.Canceled)),
    });
    this.#listener = handler(this, context);
    if (this.#signal.aborted) this.#close(this.#signal.reason);
    else this.#signal.addEventListener("abort", () => this.#close(this.#signal.reason), { once: true });
    void this.#read(requests);
  }

  send(message: O): boolean {
    if (!this.open) return false;
    this.responses.push(message);
    return !this.#full;
  }

  end(error?: unknown): void {
    if (!this.open) return;
    this.open = false;
    this.responses.end(error);
    this.#unpause();
  }

  pause(): void {
    this.#paused ??= new Promise((resolve) => {
      this.#unpause = resolve;
    });
  }

  resume(): void {
    this.#paused = undefined;
    this.#unpause();
  }

  async #read(requests: AsyncIterable<I>): Promise<void> {
    try {
      for await (const request of requests) {
        while (this.open && this.#paused !== undefined) await this.#paused;
        if (!this.open) return;
        this.#listener.onMessage(request);
      }
      if (!this.open) return;
      if (this.#listener.onEnd) this.#listener.onEnd();
      else this.end();
    } catch (error) {
      this.end(error);
    }
  }

  /** The call is over: without an error if the handler had ended it before. */
  #close(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = this.open ? ConnectError.from(reason, Code.Canceled) : undefined;
    this.end(error);
    this.#listener.onClose?.(error);
  }
}
