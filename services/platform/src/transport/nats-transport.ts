import { createInbox, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { refusal } from "../errors.js";
import type { LinkEvent, NatsLink } from "../nats/connection.js";
import { subjects } from "../nats/subjects.js";
import type { NatsUser } from "../nats/users.js";
import type { Carrier, Receive } from "./carrier.js";
import { FrameTransport } from "./frame-transport.js";
import { type CallFrame, decodeCall, decodeReply, encodeCall, encodeReply, frameOverhead, type ReplyFrame } from "./frames.js";
import type { InternalTransport } from "./internal-transport.js";
import type { PendingCalls } from "./pending-calls.js";

/** Options of {@link createNatsTransport}. */
export interface NatsTransportOptions {
  /** Whom the link is connected as; answers come to this user's inbox. */
  user: NatsUser;
  /** Gets defects of handlers, and what NATS refuses. */
  logger: Logger;
}

/**
 * A transport for services in several processes, over a link to NATS that its user opens and closes.
 *
 * When the link is lost, calls that wait fail with UNAVAILABLE and reason CONNECTION_LOST: whether they were carried out is not known. Until it is back, calls fail
 * at once and one-way calls are dropped.
 */
export function createNatsTransport(link: NatsLink, options: NatsTransportOptions): InternalTransport {
  return new FrameTransport((pending) => new NatsCarrier(link, pending, options), options.logger);
}

class NatsCarrier implements Carrier {
  readonly maxMessageBytes: number;
  readonly #link: NatsLink;
  readonly #nats: NatsConnection;
  readonly #pending: PendingCalls;
  readonly #logger: Logger;
  /** Answers come to `<inbox>.<token>`. */
  readonly #inbox: string;
  readonly #answers: Subscription;
  readonly #unwatch: () => void;

  constructor(link: NatsLink, pending: PendingCalls, options: NatsTransportOptions) {
    this.#link = link;
    this.#nats = link.connection;
    this.#pending = pending;
    this.#logger = options.logger;
    this.maxMessageBytes = (this.#nats.info?.max_payload ?? 1024 * 1024) - frameOverhead;
    this.#inbox = createInbox(subjects.inbox(options.user));
    const tokenAt = this.#inbox.length + 1;
    this.#answers = this.#nats.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error) this.#logger.error({ err: error }, "answers to internal calls cannot be heard");
        else this.#answer(Number(message.subject.slice(tokenAt)), message);
      },
    });
    this.#unwatch = link.watch((event) => this.#follow(event));
  }

  async listen(address: string, receive: Receive): Promise<() => Promise<void>> {
    const subscription = this.#nats.subscribe(subjectOf(address), {
      callback: (error, message) => {
        if (error) this.#logger.error({ err: error, address }, "internal calls cannot be heard");
        else this.#receive(message, receive);
      },
    });
    // A caller may be told of the address as soon as this resolves: NATS must know of it then.
    await this.#nats.flush();
    return () => this.#stop(subscription);
  }

  send(address: string, call: CallFrame, token: number | undefined): void {
    if (!this.#link.up) {
      if (token !== undefined) this.#pending.fail(token, connectionLost("there is no connection to NATS"));
      return;
    }
    try {
      const reply = token === undefined ? undefined : { reply: `${this.#inbox}.${token}` };
      this.#nats.publish(subjectOf(address), encodeCall(call), reply);
    } catch (error) {
      if (token !== undefined) this.#pending.fail(token, connectionLost(`NATS takes no calls: ${(error as Error).message}`));
    }
  }

  close(): void {
    this.#unwatch();
    if (!this.#nats.isClosed()) this.#answers.unsubscribe();
  }

  #receive(message: Msg, receive: Receive): void {
    const { reply } = message;
    const answer = reply ? (frame: ReplyFrame) => this.#publish(reply, frame) : undefined;
    const call = decodeCall(message.data);
    if (call) receive(call, answer);
    else this.#logger.warn({ subject: message.subject }, "dropping what is no internal call");
  }

  #publish(reply: string, frame: ReplyFrame): void {
    // The caller hears of a lost connection from its own side.
    if (!this.#nats.isClosed()) this.#nats.publish(reply, encodeReply(frame));
  }

  #answer(token: number, message: Msg): void {
    const reply = decodeReply(message.data);
    if (reply) this.#pending.answer(token, reply);
    // NATS itself answers, with an empty message, when nobody listens.
    else if (message.data.length === 0) this.#pending.fail(token, refusal("NO_SERVER", "nobody serves the address"));
    else this.#pending.fail(token, refusal("MALFORMED_FRAME", "the answer is no reply frame"));
  }

  /** Lets what has arrived be handled, then listens no more. */
  async #stop(subscription: Subscription): Promise<void> {
    if (this.#nats.isClosed() || subscription.isClosed()) return;
    try {
      if (this.#link.up) await subscription.drain();
      else subscription.unsubscribe();
    } catch (error) {
      // The connection went while it was asked what is still on its way: nothing is.
      this.#logger.debug({ err: error }, "the end of a subscription was cut short");
    }
  }

  #follow(event: LinkEvent): void {
    if (event !== "up") this.#pending.failAll(connectionLost("the connection to NATS was lost"));
  }
}

function subjectOf(address: string): string {
  return `runlane.call.${address}`;
}

function connectionLost(message: string) {
  return refusal("CONNECTION_LOST", message);
}
