import type { DescMethodBiDiStreaming } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { CallContext } from "../call-context.js";
import { decodeMessage, encodeMessage } from "../wire/message-codec.js";
import type { BidiListener, BidiStream, CallbackForm } from "./bidi-stream.js";

/** What a client in the same process wants to hear of a stream. */
export interface MemoryStreamListener {
  /** An encoded message has arrived. */
  onFrame(frame: Uint8Array): void;
  /** The stream is over; called exactly once, last. Without an error if its status is OK. */
  onClose(error: ConnectError | undefined): void;
}

/** The client's end of a stream in memory. */
export interface MemoryStream {
  /** Sends an encoded message, in order. What is sent after the end is dropped. Always true: there is no socket that could be full. */
  send(frame: Uint8Array): boolean;
  /** Says that nothing more will be sent. */
  end(): void;
  /** Ends the stream at once, with CANCELED. */
  cancel(): void;
}

/** A method that is a stream, with its handler. */
export interface StreamMethod extends CallbackForm {
  readonly desc: DescMethodBiDiStreaming;
}

/** Opens a stream to a handler. Whatever one end says, the other hears in a microtask of its own: never within the call, always in order. */
export function openMemoryStream(
  method: StreamMethod,
  context: CallContext,
  client: MemoryStreamListener,
  received: (error: unknown) => ConnectError,
): MemoryStream {
  return new Link(method, context, client, received).clientEnd;
}

class Link {
  readonly clientEnd: MemoryStream;
  readonly #method: StreamMethod;
  readonly #context: CallContext;
  readonly #client: MemoryStreamListener;
  readonly #received: (error: unknown) => ConnectError;
  #handler: BidiListener<never> | undefined;
  #open = true;
  /** The client has been told of the end. */
  #told = false;

  constructor(method: StreamMethod, context: CallContext, client: MemoryStreamListener, received: (error: unknown) => ConnectError) {
    this.#method = method;
    this.#context = context;
    this.#client = client;
    this.#received = received;
    this.#soon(() => this.#begin());
    this.clientEnd = {
      send: (frame) => {
        this.#soon(() => this.#hear(frame));
        return true;
      },
      end: () => this.#soon(() => this.#halfClose()),
      cancel: () => this.#soon(() => this.#cancel()),
    };
  }

  #begin(): void {
    const link = this;
    const { raw, desc } = this.#method;
    const stream: BidiStream<unknown> = {
      send: (message) => {
        if (!link.#open) return false;
        const frame = raw ? (message as Uint8Array) : encodeMessage(desc.output, create(desc.output, message as Record<string, unknown>));
        link.#soon(() => link.#tell(frame));
        return true;
      },
      end: (error) => link.#end(error),
      get open() {
        return link.#open;
      },
      pause() {},
      resume() {},
    };
    try {
      this.#handler = this.#method.handler(stream, this.#context);
    } catch (error) {
      this.#end(error ?? new Error("the handler threw nothing"));
    }
  }

  #hear(frame: Uint8Array): void {
    if (!this.#open) return;
    try {
      this.#handler?.onMessage((this.#method.raw ? frame : decodeMessage(this.#method.desc.input, frame)) as never);
    } catch (error) {
      this.#end(error ?? new Error("the handler threw nothing"));
    }
  }

  #halfClose(): void {
    if (!this.#open) return;
    if (this.#handler?.onEnd) this.#handler.onEnd();
    else this.#end(undefined);
  }

  #cancel(): void {
    const error = new ConnectError("the call was cancelled", Code.Canceled);
    if (this.#open) {
      this.#open = false;
      this.#over(error);
    }
    this.#close(error);
  }

  /** The handler ends the stream: the client hears of it after what was sent before. */
  #end(error: unknown): void {
    if (!this.#open) return;
    this.#open = false;
    this.#soon(() => {
      this.#over(undefined);
      this.#close(error === undefined ? undefined : this.#received(error));
    });
  }

  #over(error: ConnectError | undefined): void {
    this.#context.end(error);
    this.#handler?.onClose?.(error);
  }

  #tell(frame: Uint8Array): void {
    if (!this.#told) this.#client.onFrame(frame);
  }

  #close(error: ConnectError | undefined): void {
    if (this.#told) return;
    this.#told = true;
    this.#client.onClose(error);
  }

  #soon(task: () => void): void {
    queueMicrotask(task);
  }
}
