import type { DescMessage, DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import { Metadata, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Authenticate } from "../auth/principal.js";
import { principalKey } from "../auth/principal.js";
import { CallContext } from "../call-context.js";
import { isAbort, refusal, refusalOf } from "../errors.js";
import { decodeMessage, encodeMessage } from "../wire/message-codec.js";
import type { BidiHandler, BidiListener, BidiStream } from "./bidi-stream.js";
import { headersOf, metadataOf } from "./grpc-metadata.js";
import { errorOfGrpc, errorStatus, type GrpcStatus, okStatus } from "./grpc-status.js";

/** A method, and what calls it. */
export interface ServedMethod {
  readonly method: DescMethod;
  readonly handler: BidiHandler<never, unknown>;
  /** Messages stay bytes. */
  readonly raw: boolean;
  /** Callers need no secret key. */
  readonly withoutKey: boolean;
}

/** What calls share. */
export interface CallSurroundings {
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  /** Cuts the connection of a client that does not read. */
  readonly maxBufferedBytes: number;
  /** The calls that are not over. */
  readonly calls: Set<GrpcCall>;
  /** Destroys the connection that the call came on. */
  readonly cutOff: (call: ServerInterceptingCallInterface) => void;
}

/** Above this, `send` returns false. */
const highWaterBytes = 1024 * 1024;

/**
 * One call. Stands between grpc-js's message-level interface, which its interceptors are made of, and a handler: grpc-js's own call objects are Node streams, whose one write in flight and
 * per-message bookkeeping cost more than everything else on the way.
 *
 * A call is over when grpc-js says so (`onCancel`), which it does once the status has been handed to the connection, or the client is gone.
 */
export class GrpcCall implements BidiStream<unknown> {
  open = true;
  readonly #call: ServerInterceptingCallInterface;
  readonly #served: ServedMethod;
  readonly #around: CallSurroundings;
  readonly #sendStatus: (status: GrpcStatus) => void;
  #listener: BidiListener<unknown> | undefined;
  #context: CallContext | undefined;
  #headersSent = false;
  #buffered = 0;
  #wantsDrain = false;
  #paused = false;
  /** In `#read`: a message that arrives within must not recurse. */
  #reading = false;
  #readAgain = false;
  /** Why the call ended, if its handler did not end it. */
  #fate: ConnectError | undefined;

  constructor(call: ServerInterceptingCallInterface, served: ServedMethod, around: CallSurroundings) {
    this.#call = call;
    this.#served = served;
    this.#around = around;
    // grpc-js ends calls by itself when a message is too large or the deadline has passed, without details and without telling why. It does so through this
    // method; if a later version does not, such statuses merely lack their details again.
    this.#sendStatus = call.sendStatus.bind(call);
    call.sendStatus = (status) => this.#fail(errorOfGrpc(status));
  }

  /** Begins. For grpc-js, which calls it in place of its own handler. */
  start(): void {
    this.#around.calls.add(this);
    this.#call.start({
      onReceiveMetadata: (metadata) => this.#begin(metadata),
      onReceiveMessage: (bytes: Buffer) => this.#receive(bytes),
      onReceiveHalfClose: () => this.#halfClose(),
      onCancel: () => this.#close(),
    });
  }

  /** Whether it may go on for as long as both sides like. */
  get isStream(): boolean {
    return this.#served.method.methodKind !== "unary";
  }

  send(message: unknown): boolean {
    if (!this.open) return false;
    let bytes: Uint8Array;
    try {
      bytes = this.#encode(message);
    } catch (error) {
      this.end(error);
      return false;
    }
    if (!this.#headersSent) this.#sendHeaders();
    const size = bytes.byteLength;
    this.#buffered += size;
    this.#call.sendMessage(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, size), () => this.#written(size));
    if (this.#buffered <= highWaterBytes) return true;
    if (this.#buffered > this.#around.maxBufferedBytes) this.#cutOff();
    this.#wantsDrain = true;
    return false;
  }

  end(error?: unknown): void {
    if (!this.open) {
      // Nobody is there to hear of it; a defect is told to the log nevertheless.
      if (error !== undefined && !isAbort(error)) refusalOf(error, this.#around.logger, `${this.#name}, after its end,`);
      return;
    }
    this.open = false;
    const trailer = metadataOf(this.#context?.givenTrailer);
    this.#sendStatus(error === undefined ? okStatus(trailer) : errorStatus(refusalOf(error, this.#around.logger, this.#name), trailer));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#read();
  }

  /** The server stops: whatever runs is told, and ended. */
  abandon(error: ConnectError): void {
    this.#fail(error);
  }

  get #name(): string {
    return `${this.#served.method.parent.typeName}/${this.#served.method.name}`;
  }

  #begin(metadata: Metadata): void {
    if (!this.open) return;
    const { method, handler, withoutKey } = this.#served;
    try {
      const principal = withoutKey ? undefined : this.#around.authenticate(metadata.get("authorization")[0]?.toString());
      const deadline = this.#call.getDeadline();
      this.#context = new CallContext({
        method,
        protocolName: "grpc",
        timeoutMs: deadline === Number.POSITIVE_INFINITY ? undefined : Number(deadline) - Date.now(),
        values: createContextValues().set(principalKey, principal),
        requestHeader: () => headersOf(metadata),
        origin: () => `http://${this.#call.getHost()}`,
      });
      // Clients that wait for headers before they write or read would hang if the first message took its time.
      if (method.methodKind !== "unary") this.#sendHeaders();
      this.#listener = handler(this, this.#context) as BidiListener<unknown>;
    } catch (error) {
      this.end(error);
    }
    this.#read();
  }

  #receive(bytes: Buffer): void {
    if (!this.open) return;
    try {
      this.#listener?.onMessage(this.#decode(bytes));
    } catch (error) {
      this.#fail(error);
    }
    this.#read();
  }

  #halfClose(): void {
    // A client that resets its stream looks at first like one that has said all: Node ends the stream, then closes it. grpc-js looks whether it is closed
    // whenever it is asked for something, and then calls onCancel before this next tick.
    this.#call.startRead();
    process.nextTick(() => this.#end());
  }

  #end(): void {
    if (!this.open) return;
    try {
      if (this.#listener?.onEnd) this.#listener.onEnd();
      else this.end();
    } catch (error) {
      this.end(error);
    }
  }

  #read(): void {
    if (this.#reading) {
      this.#readAgain = true;
      return;
    }
    this.#reading = true;
    do {
      this.#readAgain = false;
      if (!this.#paused && this.open) this.#call.startRead();
    } while (this.#readAgain);
    this.#reading = false;
  }

  #decode(bytes: Buffer): unknown {
    if (this.#served.raw) return bytes;
    const { input } = this.#served.method;
    try {
      return decodeMessage(input, bytes);
    } catch {
      throw refusal("MALFORMED_FRAME", `the message is not a ${input.typeName}`);
    }
  }

  #encode(message: unknown): Uint8Array {
    if (this.#served.raw) return message as Uint8Array;
    const { output } = this.#served.method;
    return encodeMessage(output, create(output, message as MessageInitShape<DescMessage>));
  }

  #sendHeaders(): void {
    this.#headersSent = true;
    const header = metadataOf(this.#context?.givenHeader);
    this.#call.sendMetadata(header ?? new Metadata());
  }

  #written(size: number): void {
    this.#buffered -= size;
    if (!this.#wantsDrain || this.#buffered > highWaterBytes / 2) return;
    this.#wantsDrain = false;
    if (!this.open) return;
    try {
      this.#listener?.onDrain?.();
    } catch (error) {
      this.end(error);
    }
  }

  /** Ends the call for a reason that its handler does not know of. */
  #fail(reason: unknown): void {
    if (!this.open) return;
    const error = refusalOf(reason, this.#around.logger, this.#name);
    this.#fate = error;
    this.end(error);
    this.#context?.end(error);
  }

  #cutOff(): void {
    this.#around.logger.warn({ peer: this.#call.getPeer(), bytes: this.#buffered }, "a client does not read: its connection is cut");
    this.#fail(refusal("OVERLOADED", "the client does not read what it is sent"));
    this.#around.cutOff(this.#call);
  }

  #close(): void {
    if (!this.#around.calls.delete(this)) return;
    const gone = this.open ? new ConnectError("the client went away", Code.Canceled) : this.#fate;
    this.open = false;
    this.#context?.end(gone);
    try {
      this.#listener?.onClose?.(gone);
    } catch (error) {
      refusalOf(error, this.#around.logger, `${this.#name}, at its end,`);
    }
  }
}
