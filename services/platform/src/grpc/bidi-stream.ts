import type { DescMessage, DescMethodBiDiStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ConnectError, HandlerContext, MethodImpl } from "@connectrpc/connect";
import { bidiToIterable } from "./bidi-iterable.js";

/**
 * A bidirectional stream as its handler sees it: callbacks in, `send` out.
 *
 * Connect's form of a bidi handler, a function from one async iterable to another, costs two promises and a few microtasks a message. Streams that carry
 * every run use this form. A handler in this form is still a Connect handler: see {@link bidi}.
 */
export interface BidiStream<O> {
  /**
   * Sends a message, in order. Returns false when more than 1 MiB waits for the client to read: stop until `onDrain` if you can. What is sent
   * nevertheless is kept in memory, until the server cuts off a client that lets 32 MiB wait. What is sent after the end is dropped. A message that cannot be
   * encoded ends the stream with INTERNAL.
   */
  send(message: O): boolean;

  /** Ends the stream, after everything that was sent: with OK, or with `error` as its status. Further calls do nothing. */
  end(error?: unknown): void;

  /** False once the stream has ended, whoever ended it. */
  readonly open: boolean;

  /** Stops asking the client for messages; at most one more arrives. */
  pause(): void;

  /** Asks for messages again. */
  resume(): void;
}

/** What the handler of a bidirectional stream wants to hear. All callbacks run synchronously, in the order of things. */
export interface BidiListener<I> {
  /** A message has arrived. What this throws ends the stream with that error. */
  onMessage(message: I): void;

  /** The client will send nothing more, and still listens. By default the stream is ended with OK. */
  onEnd?(): void;

  /** Most of what was sent has been read, after `send` returned false. */
  onDrain?(): void;

  /**
   * The stream is over; called exactly once, last. Without an error if the handler ended it; else with CANCELED (the client went away), DEADLINE_EXCEEDED,
   * UNAVAILABLE (this server stops), INVALID_ARGUMENT (a malformed message), or what `onMessage` threw.
   *
   * A client that goes away may be heard of by `onEnd` first: clients on Node end their side before they reset a stream.
   */
  onClose?(error?: ConnectError): void;
}

/** Handles a bidirectional stream. Called once the caller is authenticated; what it throws ends the stream with that error. */
export type BidiHandler<I, O> = (stream: BidiStream<O>, context: HandlerContext) => BidiListener<I>;

/** How the gRPC server finds the callback form of a handler. */
const callbackForm = Symbol("callback form");

/** The callback form of a handler, and whether it takes messages as bytes. */
export interface CallbackForm {
  readonly handler: BidiHandler<never, unknown>;
  readonly raw: boolean;
}

/**
 * Makes a Connect handler of one in callback form. The gRPC server calls `handler` directly; any other server of Connect handlers gets
 * async iterables.
 *
 * ```ts
 * const implementation: ServiceImpl<typeof RunService> = {
 *   triggerStream: bidi(RunService.method.triggerStream, (stream, context) => ({
 *     onMessage: (request) => stream.send({ frame: … }),
 *   })),
 *   …
 * };
 * ```
 */
export function bidi<I extends DescMessage, O extends DescMessage>(
  _method: DescMethodBiDiStreaming<I, O>,
  handler: BidiHandler<MessageShape<I>, MessageInitShape<O>>,
): MethodImpl<DescMethodBiDiStreaming<I, O>> {
  return withCallbackForm(bidiToIterable(handler), { handler: handler as CallbackForm["handler"], raw: false });
}

/**
 * Like {@link bidi}, for a relay: messages stay bytes in both directions. The gRPC server does not decode them; a malformed one is the relay's affair.
 */
export function rawBidi<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  handler: BidiHandler<Uint8Array, Uint8Array>,
): MethodImpl<DescMethodBiDiStreaming<I, O>> {
  const decoded: BidiHandler<MessageShape<I>, MessageShape<O>> = (stream, context) => {
    const listener = handler(
      {
        send: (bytes) => stream.send(fromBinary(method.output, bytes)),
        end: (error) => stream.end(error),
        get open() {
          return stream.open;
        },
        pause: () => stream.pause(),
        resume: () => stream.resume(),
      },
      context,
    );
    return {
      onMessage: (message) => listener.onMessage(toBinary(method.input, message)),
      onEnd: () => (listener.onEnd ? listener.onEnd() : stream.end()),
      onDrain: () => listener.onDrain?.(),
      onClose: (error) => listener.onClose?.(error),
    };
  };
  return withCallbackForm(bidiToIterable(decoded), { handler: handler as CallbackForm["handler"], raw: true });
}

/** The callback form of a handler made by {@link bidi} or {@link rawBidi}; undefined for any other. */
export function callbackFormOf(implementation: object): CallbackForm | undefined {
  return (implementation as { [callbackForm]?: CallbackForm })[callbackForm];
}

function withCallbackForm<F extends object>(implementation: F, form: CallbackForm): F {
  return Object.defineProperty(implementation, callbackForm, { value: form });
}
