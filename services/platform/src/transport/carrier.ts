import type { CallFrame, ReplyFrame } from "./frames.js";
import type { PendingCalls } from "./pending-calls.js";

/** Takes a call; `reply` is missing if nobody waits for the answer. */
export type Receive = (call: CallFrame, reply: ((reply: ReplyFrame) => void) | undefined) => void;

/** What carries frames from callers to servers and back. All else about a transport is the same for every carrier. */
export interface Carrier {
  /** Largest encoded request or response, in bytes. */
  readonly maxMessageBytes: number;

  /** Hands every call to `address` to `receive`, in order, until it is told to stop; then resolves once nothing more will come. */
  listen(address: string, receive: Receive): Promise<() => Promise<void>>;

  /**
   * Sends a call on its way, in order with others to the same address. Its answer, or failure to arrive, is given to the pending calls under `token`;
   * undefined if nobody waits for it.
   */
  send(address: string, call: CallFrame, token: number | undefined): void;

  /** Carries nothing any more. */
  close(): void;
}

/** Makes a carrier that gives answers to `pending`. */
export type CarrierFactory = (pending: PendingCalls) => Carrier;
