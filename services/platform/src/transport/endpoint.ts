import type { DescMethod, DescService, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError, createServiceImplSpec, type MethodImplSpec, type ServiceImpl } from "@connectrpc/connect";
import type { Logger } from "pino";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { CallContext } from "../call-context.js";
import { refusal, refusalOf } from "../errors.js";
import { statusOf } from "../status.js";
import { decodeMessage, encodeMessage } from "../wire/message-codec.js";
import type { CallFrame, ReplyFrame } from "./frames.js";

/** Tells the caller; missing if nobody waits for the answer. */
type Reply = ((reply: ReplyFrame) => void) | undefined;

type Handle = Extract<MethodImplSpec, { kind: "unary" }>["impl"];

/** A service at an address: takes frames of calls, gives frames of replies. */
export class Endpoint {
  readonly #methods = new Map<string, { method: DescMethod; handle: Handle }>();
  readonly #maxMessageBytes: number;
  readonly #logger: Logger;
  #underWay = 0;
  readonly #onIdle: (() => void)[] = [];

  constructor(service: DescService, implementation: ServiceImpl<DescService>, options: { maxMessageBytes: number; logger: Logger }) {
    for (const spec of Object.values(createServiceImplSpec(service, implementation).methods)) {
      if (spec.kind === "unary") this.#methods.set(`${service.typeName}/${spec.method.name}`, { method: spec.method, handle: spec.impl });
    }
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#logger = options.logger;
  }

  /** Starts to handle a call, and never throws. `reply` is called once, unless nobody waits for the answer. */
  receive(call: CallFrame, reply: Reply): void {
    const served = this.#methods.get(call.method);
    if (!served) {
      reply?.(failure(refusal("UNIMPLEMENTED", `${call.method} is not served here`)));
      return;
    }
    const { method, handle } = served;
    let context: CallContext | undefined;
    try {
      const request = decode(method, call.message);
      context = new CallContext({ method, protocolName: "internal", timeoutMs: call.timeoutMs || undefined });
      const response = handle(request, context);
      if (response instanceof Promise) this.#answerLater(response, method, context, reply);
      else this.#answer(response, method, context, reply);
    } catch (error) {
      this.#fail(error, method, context, reply);
    }
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #answerLater(response: Promise<unknown>, method: DescMethod, context: CallContext, reply: Reply): void {
    this.#underWay++;
    response.then(
      (message) => {
        this.#answer(message, method, context, reply);
        this.#done();
      },
      (error: unknown) => {
        this.#fail(error, method, context, reply);
        this.#done();
      },
    );
  }

  #done(): void {
    if (--this.#underWay === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #answer(response: unknown, method: DescMethod, context: CallContext, reply: Reply): void {
    context.end();
    if (!reply) return;
    let message: Uint8Array;
    try {
      message = encodeMessage(method.output, create(method.output, response as MessageInitShape<DescMethod["output"]>));
      if (message.length > this.#maxMessageBytes) {
        throw refusal("FRAME_TOO_LARGE", `the response of ${method.name} has ${message.length} bytes; ${this.#maxMessageBytes} is the limit`);
      }
    } catch (error) {
      this.#fail(error, method, context, reply);
      return;
    }
    reply({ failed: false, message });
  }

  #fail(reason: unknown, method: DescMethod, context: CallContext | undefined, reply: Reply): void {
    const where = `${method.parent.typeName}/${method.name}`;
    if (!reply && reason instanceof ConnectError) this.#logger.debug({ err: reason }, `${where} refused a call that waits for no answer`);
    const error = refusalOf(reason, this.#logger, where);
    reply?.(failure(error));
    context?.end();
  }
}

function decode(method: DescMethod, message: Uint8Array) {
  try {
    return decodeMessage(method.input, message);
  } catch {
    throw refusal("MALFORMED_FRAME", `the message is not a ${method.input.typeName}`);
  }
}

function failure(error: ConnectError): ReplyFrame {
  return { failed: true, message: toBinary(StatusSchema, statusOf(error)) };
}
