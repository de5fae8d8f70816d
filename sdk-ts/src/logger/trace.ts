import { AsyncLocalStorage } from "node:async_hooks";
import { currentRunRuntime } from "../runtime/run-runtime.js";
import { type Attributes, type EndedSpan, type Span, TimedSpan } from "./span.js";

/** How a span begins. */
export interface TraceOptions {
  attributes?: Attributes;
  /** Trigger.dev shows it beside the span; nothing does here. */
  icon?: string;
}

const key = Symbol.for("runlane.active-span.v1");

/** The asynchronous context that carries the span that code is inside of; one for all copies of the SDK in this process. */
function activeSpan(): AsyncLocalStorage<Span> {
  const holder = globalThis as { [key]?: AsyncLocalStorage<Span> };
  holder[key] ??= new AsyncLocalStorage<Span>();
  return holder[key];
}

/** See `logger.startSpan`. */
export function startSpan(name: string, options: TraceOptions = {}): Span {
  const runtime = currentRunRuntime();
  const onEnd = (span: EndedSpan) => runtime?.log(span.failure === undefined ? "info" : "error", wordsOf(span), span.attributes);
  return new TimedSpan(name, { parent: activeSpan().getStore(), attributes: options.attributes ?? {}, onEnd });
}

/** See `logger.trace`. */
export async function trace<T>(name: string, fn: (span: Span) => Promise<T>, options?: TraceOptions): Promise<T> {
  const span = startSpan(name, options);
  try {
    return await activeSpan().run(span, fn, span);
  } catch (error) {
    span.recordException(error);
    throw error;
  } finally {
    span.end();
  }
}

function wordsOf({ path, durationMs, failure }: EndedSpan): string {
  const took = `${path.join(" > ")}: ${durationMs < 1_000 ? `${durationMs.toFixed(1)} ms` : `${(durationMs / 1_000).toFixed(2)} s`}`;
  return failure === undefined ? took : `${took}, failed${failure === "" ? "" : `: ${failure}`}`;
}
