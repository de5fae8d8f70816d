import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { refusal } from "../errors.js";

/** What signals say after a call. One for all: an error for each would cost a stack trace a call. */
const callOver = new ConnectError("the call is over", Code.Canceled);

/**
 * The context of an internal call. Makes its parts when they are asked for: most handlers ask for none, and Connect's own context costs more than the rest
 * of a call in memory.
 */
export class CallContext implements HandlerContext {
  readonly method: DescMethod;
  readonly requestMethod = "POST";
  readonly protocolName = "internal";
  readonly #deadline: number;
  #values: ContextValues | undefined;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  /** @param timeoutMs How long the caller waits; 0 for ever. */
  constructor(method: DescMethod, timeoutMs: number) {
    this.method = method;
    this.#deadline = timeoutMs > 0 ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
  }

  get service(): HandlerContext["service"] {
    return this.method.parent;
  }

  get url(): string {
    return `internal:/${this.method.parent.typeName}/${this.method.name}`;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  get requestHeader(): Headers {
    return new Headers();
  }

  get responseHeader(): Headers {
    return new Headers();
  }

  get responseTrailer(): Headers {
    return new Headers();
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController();
      this.#controller = controller;
      const left = this.#deadline - performance.now();
      if (this.#over) controller.abort(callOver);
      else if (left !== Number.POSITIVE_INFINITY) {
        this.#timer = setTimeout(() => controller.abort(refusal("DEADLINE_EXCEEDED", "the caller waits no longer")), Math.max(0, left)).unref();
      }
    }
    return this.#controller.signal;
  }

  timeoutMs(): number | undefined {
    return this.#deadline === Number.POSITIVE_INFINITY ? undefined : this.#deadline - performance.now();
  }

  /** The call is over. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#controller?.abort(callOver);
  }
}
