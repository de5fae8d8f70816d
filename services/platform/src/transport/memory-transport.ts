import type { Logger } from "pino";
import { refusal } from "../errors.js";
import type { Carrier, Receive } from "./carrier.js";
import { FrameTransport } from "./frame-transport.js";
import type { CallFrame, ReplyFrame } from "./frames.js";
import type { InternalTransport } from "./internal-transport.js";
import type { PendingCalls } from "./pending-calls.js";

/** Options of {@link createMemoryTransport}. */
export interface MemoryTransportOptions {
  /** Gets defects of handlers. */
  logger: Logger;
  /** Largest encoded request or response. Default 1 MiB less 512 bytes: what NATS carries by default, so that what works in one process works in several. */
  maxMessageBytes?: number;
}

/** A transport for services in one process. Calls arrive one microtask after they were made, never within the call. */
export function createMemoryTransport(options: MemoryTransportOptions): InternalTransport {
  const maxMessageBytes = options.maxMessageBytes ?? 1024 * 1024 - 512;
  return new FrameTransport((pending) => new MemoryCarrier(pending, maxMessageBytes), options.logger);
}

class MemoryCarrier implements Carrier {
  readonly maxMessageBytes: number;
  readonly #pending: PendingCalls;
  readonly #boxes = new Map<string, Mailbox>();

  constructor(pending: PendingCalls, maxMessageBytes: number) {
    this.#pending = pending;
    this.maxMessageBytes = maxMessageBytes;
  }

  async listen(address: string, receive: Receive): Promise<() => Promise<void>> {
    const box = new Mailbox(receive, this.#pending);
    this.#boxes.set(address, box);
    return async () => {
      if (this.#boxes.get(address) === box) this.#boxes.delete(address);
      box.deliver();
    };
  }

  send(address: string, call: CallFrame, token: number | undefined): void {
    const box = this.#boxes.get(address);
    if (box) box.put(call, token);
    else if (token !== undefined) this.#pending.fail(token, refusal("NO_SERVER", `nobody serves ${address}`));
  }

  close(): void {
    this.#boxes.clear();
  }
}

/** Calls on their way to one address, in order. */
class Mailbox {
  readonly #receive: Receive;
  readonly #pending: PendingCalls;
  #calls: CallFrame[] = [];
  #tokens: (number | undefined)[] = [];

  constructor(receive: Receive, pending: PendingCalls) {
    this.#receive = receive;
    this.#pending = pending;
  }

  put(call: CallFrame, token: number | undefined): void {
    if (this.#calls.push(call) === 1) queueMicrotask(() => this.deliver());
    this.#tokens.push(token);
  }

  /** Hands over what has come so far; what comes meanwhile has a microtask of its own. */
  deliver(): void {
    const calls = this.#calls;
    const tokens = this.#tokens;
    this.#calls = [];
    this.#tokens = [];
    calls.forEach((call, index) => {
      const token = tokens[index];
      this.#receive(call, token === undefined ? undefined : (reply: ReplyFrame) => this.#pending.answer(token, reply));
    });
  }
}
