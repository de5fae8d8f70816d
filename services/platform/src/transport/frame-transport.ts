import type { DescMessage, DescMethodStreaming, DescMethodUnary, DescService, MessageInitShape } from "@bufbuild/protobuf";
import { create, fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, type ServiceImpl, type StreamResponse, type Transport, type UnaryResponse } from "@connectrpc/connect";
import type { Logger } from "pino";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { refusal } from "../errors.js";
import { errorOf } from "../status.js";
import { decodeMessage, encodeMessage } from "../wire/message-codec.js";
import type { Carrier, CarrierFactory } from "./carrier.js";
import { Endpoint } from "./endpoint.js";
import type { ReplyFrame } from "./frames.js";
import { type InternalTransport, oneWay, type Served } from "./internal-transport.js";
import { PendingCalls } from "./pending-calls.js";

/** How long a call waits for its answer if its caller does not say. */
const defaultTimeoutMs = 5_000;

/** Addresses are parts of NATS subjects, in memory too. */
const addressForm = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** An internal transport over any carrier. */
export class FrameTransport implements InternalTransport {
  readonly #pending = new PendingCalls();
  /** How to stop listening, by address. */
  readonly #listening = new Map<string, () => Promise<void>>();
  readonly #carrier: Carrier;
  readonly #logger: Logger;
  #closed = false;

  constructor(carrier: CarrierFactory, logger: Logger) {
    this.#carrier = carrier(this.#pending);
    this.#logger = logger;
  }

  async serve<S extends DescService>(address: string, service: S, implementation: ServiceImpl<S>): Promise<Served> {
    checkAddress(address);
    if (this.#closed) throw closedError();
    if (this.#listening.has(address)) throw new Error(`${address} has a server already`);
    const endpoint = new Endpoint(service, implementation, { maxMessageBytes: this.#carrier.maxMessageBytes, logger: this.#logger });
    const listening = this.#carrier.listen(address, (call, reply) => endpoint.receive(call, reply));
    let stopListening: (() => Promise<void>) | undefined;
    const stop = async () => {
      // At once, if it can be: whoever is called after this must not be served any more.
      await (stopListening ?? (await listening))();
      if (this.#listening.get(address) === stop) this.#listening.delete(address);
    };
    this.#listening.set(address, stop);
    try {
      stopListening = await listening;
    } catch (error) {
      this.#listening.delete(address);
      throw error;
    }
    return {
      close: async () => {
        await stop();
        await endpoint.idle();
      },
    };
  }

  to(address: string): Transport {
    checkAddress(address);
    return {
      unary: (method, signal, timeoutMs, _header, input, values) => this.#call(address, method, signal, timeoutMs, input, values),
      stream: <I extends DescMessage, O extends DescMessage>(method: DescMethodStreaming<I, O>): Promise<StreamResponse<I, O>> =>
        Promise.reject(refusal("UNIMPLEMENTED", `${method.name} is a stream; services call each other by unary methods only`)),
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#pending.failAll(closedError());
    await Promise.allSettled([...this.#listening.values()].map((stop) => stop()));
    this.#carrier.close();
  }

  #call<I extends DescMessage, O extends DescMessage>(
    address: string,
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    input: MessageInitShape<I>,
    values: ContextValues | undefined,
  ): Promise<UnaryResponse<I, O>> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw closedError();
      const name = `${method.parent.typeName}/${method.name}`;
      const message = encodeMessage(method.input, create(method.input, input));
      if (message.length > this.#carrier.maxMessageBytes) {
        throw refusal("FRAME_TOO_LARGE", `the request of ${method.name} has ${message.length} bytes; ${this.#carrier.maxMessageBytes} is the limit`);
      }
      if (signal?.aborted) throw cancelled(signal);
      if (values?.get(oneWay)) {
        this.#carrier.send(address, { method: name, timeoutMs: 0, message }, undefined);
        resolve(responseOf(method, undefined));
        return;
      }
      const patience = Math.max(1, Math.ceil(timeoutMs ?? defaultTimeoutMs));
      const answer = (reply: ReplyFrame) => {
        try {
          resolve(responseOf(method, reply));
        } catch (error) {
          reject(error);
        }
      };
      const token = signal ? this.#addWithSignal(signal, patience, answer, reject) : this.#pending.add(patience, answer, reject);
      this.#carrier.send(address, { method: name, timeoutMs: patience, message }, token);
    });
  }

  #addWithSignal(signal: AbortSignal, timeoutMs: number, answer: (reply: ReplyFrame) => void, fail: (error: ConnectError) => void): number {
    const abort = () => this.#pending.fail(token, cancelled(signal));
    const token = this.#pending.add(
      timeoutMs,
      (reply) => {
        signal.removeEventListener("abort", abort);
        answer(reply);
      },
      (error) => {
        signal.removeEventListener("abort", abort);
        fail(error);
      },
    );
    signal.addEventListener("abort", abort);
    return token;
  }
}

const noHeaders = new Headers();

function responseOf<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>, reply: ReplyFrame | undefined): UnaryResponse<I, O> {
  if (reply?.failed) throw errorOf(fromBinary(StatusSchema, reply.message));
  const message = reply ? decodeMessage(method.output, reply.message) : create(method.output);
  return { stream: false, service: method.parent, method, header: noHeaders, trailer: noHeaders, message };
}

function checkAddress(address: string): void {
  if (!addressForm.test(address)) throw new Error(`"${address}" is no address: letters, digits, _ and -, in parts divided by dots`);
}

function cancelled(signal: AbortSignal): ConnectError {
  return signal.reason instanceof ConnectError ? signal.reason : new ConnectError("the call was cancelled", Code.Canceled, undefined, undefined, signal.reason);
}

function closedError(): ConnectError {
  return refusal("DRAINING", "the internal transport is closed");
}
