import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { HandlerContext, MethodImplSpec } from "@connectrpc/connect";
import { refusal } from "../errors.js";
import type { BidiHandler, BidiListener, BidiStream } from "./bidi-stream.js";
import { MessageQueue } from "./message-queue.js";

/** The way back from Connect's four kinds of handlers to callback form: to the gRPC server every call is a {@link BidiStream}. */
export function callbackHandlerOf(spec: MethodImplSpec<DescMessage, DescMessage>): BidiHandler<never, unknown> {
  switch (spec.kind) {
    case "unary":
      return (stream, context) => oneRequest<Message>(stream, (request) => answer(stream, () => spec.impl(request, context)));
    case "server_streaming":
      return (stream, context) => {
        const responses = new ResponsePump(stream);
        const listener = oneRequest<Message>(stream, (request) => responses.start(() => spec.impl(request, context)));
        return { ...listener, onDrain: () => responses.go(), onClose: () => responses.stop() };
      };
    case "client_streaming":
      return (stream, context) => {
        const requests = requestsOf(stream, context);
        answer(stream, () => spec.impl(requests, context));
        return listenerOf(requests);
      };
    case "bidi_streaming":
      return (stream, context) => {
        const requests = requestsOf(stream, context);
        const responses = new ResponsePump(stream);
        responses.start(() => spec.impl(requests, context));
        return { ...listenerOf(requests), onDrain: () => responses.go(), onClose: () => responses.stop() };
      };
  }
}

/** Waits for exactly one request. */
function oneRequest<I>(stream: BidiStream<unknown>, start: (request: I) => void): BidiListener<I> {
  let request: I | undefined;
  return {
    onMessage(message) {
      if (request !== undefined) throw refusal("UNIMPLEMENTED", "the method takes one message, and a second one came");
      request = message;
    },
    onEnd() {
      if (request === undefined) stream.end(refusal("UNIMPLEMENTED", "the method takes one message, and none came"));
      else start(request);
    },
  };
}

function answer(stream: BidiStream<unknown>, call: () => unknown): void {
  // A handler that answers at once is spared the promises.
  const end = (response: unknown) => {
    stream.send(response);
    stream.end();
  };
  try {
    const response = call();
    if (response instanceof Promise) response.then(end, (error: unknown) => stream.end(error ?? new Error("rejected without a reason")));
    else end(response);
  } catch (error) {
    stream.end(error);
  }
}

function requestsOf(stream: BidiStream<unknown>, context: HandlerContext): MessageQueue<never> {
  const requests = new MessageQueue<never>({ onFull: () => stream.pause(), onEmpty: () => stream.resume(), onReturn: () => stream.resume() });
  // Before whoever waits for the signal wakes: a handler that reads requests hears of the end in either way.
  context.signal.addEventListener("abort", () => requests.end(context.signal.reason), { once: true });
  return requests;
}

function listenerOf(requests: MessageQueue<never>): BidiListener<never> {
  return { onMessage: (request) => requests.push(request), onEnd: () => requests.end() };
}

/** Sends what an async iterable yields, as fast as the client reads. */
class ResponsePump {
  readonly #stream: BidiStream<unknown>;
  #responses: AsyncIterator<unknown> | undefined;
  #go = () => {};

  constructor(stream: BidiStream<unknown>) {
    this.#stream = stream;
  }

  start(call: () => AsyncIterable<unknown>): void {
    void this.#run(call);
  }

  /** The client has read. */
  go(): void {
    this.#go();
  }

  /** The stream is over. A generator that is parked on an await ends when that await does: handlers wait with `context.signal`. */
  stop(): void {
    this.#go();
    void this.#responses?.return?.().catch(() => {});
  }

  async #run(call: () => AsyncIterable<unknown>): Promise<void> {
    try {
      this.#responses = call()[Symbol.asyncIterator]();
      while (this.#stream.open) {
        const result = await this.#responses.next();
        if (result.done) return this.#stream.end();
        if (!this.#stream.send(result.value) && this.#stream.open) {
          await new Promise<void>((resolve) => {
            this.#go = resolve;
          });
        }
      }
    } catch (error) {
      this.#stream.end(error);
    }
  }
}
