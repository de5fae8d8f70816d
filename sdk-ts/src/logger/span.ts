/** A value of an attribute. */
export type AttributeValue = string | number | boolean | null | undefined | readonly (string | number | boolean | null | undefined)[];
/** Attributes of a span. */
export type Attributes = Record<string, AttributeValue>;
/** A time: a Date, milliseconds of the Unix epoch, or seconds and nanoseconds. */
export type TimeInput = Date | number | [number, number];

/** Names a span, as OpenTelemetry does. */
export interface SpanContext {
  traceId: string;
  spanId: string;
  traceFlags: number;
}

/**
 * A stretch of time with a name, with the methods of OpenTelemetry's Span. So far its end is a line of the run's log, with what it was inside of, how long it took, and its attributes; nothing is
 * exported.
 */
export interface Span {
  spanContext(): SpanContext;
  setAttribute(key: string, value: AttributeValue): this;
  setAttributes(attributes: Attributes): this;
  /** Kept nowhere so far. */
  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this;
  /** Kept nowhere so far. */
  addLink(link: object): this;
  /** Kept nowhere so far. */
  addLinks(links: object[]): this;
  /** `code` is OpenTelemetry's: 0 unset, 1 ok, 2 error. */
  setStatus(status: { code: number; message?: string }): this;
  updateName(name: string): this;
  /** Ends it. Only the first call counts. */
  end(endTime?: TimeInput): void;
  /** True until its end. */
  isRecording(): boolean;
  /** Marks it as failed by this. */
  recordException(exception: unknown, time?: TimeInput): void;
}

/** A span that has ended. */
export interface EndedSpan {
  /** The names of the spans that it was inside of, and its own. */
  readonly path: readonly string[];
  readonly durationMs: number;
  readonly attributes: Attributes;
  /** What it failed with; undefined if it did not. */
  readonly failure: string | undefined;
}

/** A span that tells of its end. */
export class TimedSpan implements Span {
  readonly attributes: Attributes;
  readonly #parent: Span | undefined;
  readonly #onEnd: (span: EndedSpan) => void;
  readonly #startedAt = performance.now();
  #name: string;
  #failure: string | undefined;
  #ended = false;
  #context: SpanContext | undefined;

  constructor(name: string, { parent, attributes, onEnd }: { parent: Span | undefined; attributes: Attributes; onEnd: (span: EndedSpan) => void }) {
    this.#name = name;
    this.#parent = parent;
    this.attributes = { ...attributes };
    this.#onEnd = onEnd;
  }

  /** Its name, behind the names of those that it is inside of. */
  get path(): readonly string[] {
    return [...((this.#parent as Partial<TimedSpan> | undefined)?.path ?? []), this.#name];
  }

  spanContext(): SpanContext {
    this.#context ??= { traceId: this.#parent?.spanContext().traceId ?? randomHex(), spanId: randomHex().slice(16), traceFlags: 0 };
    return this.#context;
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (!this.#ended) this.attributes[key] = value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    if (!this.#ended) Object.assign(this.attributes, attributes);
    return this;
  }

  addEvent(): this {
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus({ code, message }: { code: number; message?: string }): this {
    if (code === 2) this.#failure ??= message ?? "";
    return this;
  }

  updateName(name: string): this {
    if (!this.#ended) this.#name = name;
    return this;
  }

  end(endTime?: TimeInput): void {
    if (this.#ended) return;
    this.#ended = true;
    const endedAt = endTime === undefined ? performance.now() : epochMs(endTime) - performance.timeOrigin;
    this.#onEnd({ path: this.path, durationMs: Math.max(0, endedAt - this.#startedAt), attributes: this.attributes, failure: this.#failure });
  }

  isRecording(): boolean {
    return !this.#ended;
  }

  recordException(exception: unknown): void {
    this.#failure = exception instanceof Error ? `${exception.name}: ${exception.message}` : String(exception);
  }
}

function epochMs(time: TimeInput): number {
  return Array.isArray(time) ? time[0] * 1_000 + time[1] / 1_000_000 : Number(time);
}

function randomHex(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
