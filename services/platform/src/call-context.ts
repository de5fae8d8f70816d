import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { refusal } from "./errors.js";

/** What a {@link CallContext} is made of. */
export interface CallContextInit {
  readonly method: DescMethod;
  /** "grpc" or "internal". */
  readonly protocolName: string;
  /** How long the caller waits; undefined for ever. */
  readonly timeoutMs?: number | undefined;
  readonly values?: ContextValues;
  /** Makes the request's headers. Default: there are none. */
  readonly requestHeader?: () => Headers;
  /** Makes the beginning of the URL. */
  readonly origin?: () => string;
}

/**
 * What signals say after a call that ended well. One for all: an error for each would cost a stack trace a call. Made late, because the first ConnectError of a process makes Node load all of
 * fetch (35 ms), which a server that comes back has no time for.
 */
let callOver: ConnectError | undefined;
function over(): ConnectError {
  callOver ??= new ConnectError("the call is over", Code.Canceled);
  return callOver;
}

/**
 * The context of a call, as handlers see it. Makes its parts when they are asked for: most handlers ask for few, and what Connect's `createHandlerContext` makes at once
 * (three Headers, three signals and their links) was measured at 20 to 40 µs a call.
 */
export class CallContext implements HandlerContext {
  readonly requestMethod = "POST";
  /** What the handler has set so far; undefined if it has not looked. */
  givenHeader: Headers | undefined;
  /** What the handler has set so far; undefined if it has not looked. */
  givenTrailer: Headers | undefined;
  readonly #init: CallContextInit;
  readonly #deadline: number;
  #values: ContextValues | undefined;
  #requestHeader: Headers | undefined;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #end: { reason: unknown } | undefined;

  constructor(init: CallContextInit) {
    this.#init = init;
    this.#values = init.values;
    this.#deadline = init.timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + init.timeoutMs;
  }

  get method(): DescMethod {
    return this.#init.method;
  }

  get service(): HandlerContext["service"] {
    return this.#init.method.parent;
  }

  get protocolName(): string {
    return this.#init.protocolName;
  }

  get url(): string {
    return `${this.#init.origin?.() ?? "internal:"}/${this.service.typeName}/${this.method.name}`;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= this.#init.requestHeader?.() ?? new Headers();
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.givenHeader ??= new Headers();
    return this.givenHeader;
  }

  get responseTrailer(): Headers {
    this.givenTrailer ??= new Headers();
    return this.givenTrailer;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController();
      this.#controller = controller;
      if (this.#end) controller.abort(this.#end.reason ?? over());
      else if (this.#deadline !== Number.POSITIVE_INFINITY) {
        const left = Math.max(0, Math.ceil(this.#deadline - performance.now()));
        this.#timer = setTimeout(() => controller.abort(refusal("DEADLINE_EXCEEDED", "the call took longer than its deadline")), left).unref();
      }
    }
    return this.#controller.signal;
  }

  timeoutMs(): number | undefined {
    return this.#deadline === Number.POSITIVE_INFINITY ? undefined : this.#deadline - performance.now();
  }

  /** The call is over: the signal is aborted. Only the first reason counts. */
  end(reason?: unknown): void {
    if (this.#end) return;
    this.#end = { reason };
    clearTimeout(this.#timer);
    this.#controller?.abort(reason ?? over());
  }
}
