import type { ConnectError } from "@connectrpc/connect";
import { refusal } from "../errors.js";
import type { ReplyFrame } from "./frames.js";

/** A call that waits for its answer. */
interface PendingCall {
  readonly deadline: number;
  readonly answer: (reply: ReplyFrame) => void;
  readonly fail: (error: ConnectError) => void;
}

/** Calls that wait for their answers, under one timer: a timer for each would cost more than the call. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  #lastToken = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Number.POSITIVE_INFINITY;

  /**
   * Adds a call. Exactly one of `answer` and `fail` will be called: `fail` with DEADLINE_EXCEEDED if nothing comes for `timeoutMs`.
   *
   * @returns The token that its answer is known by.
   */
  add(timeoutMs: number, answer: (reply: ReplyFrame) => void, fail: (error: ConnectError) => void): number {
    const token = ++this.#lastToken;
    const now = performance.now();
    this.#calls.set(token, { deadline: now + timeoutMs, answer, fail });
    if (now + timeoutMs < this.#timerDue) this.#wake(now, now + timeoutMs);
    return token;
  }

  /** The answer to a call is there. Nothing happens if the call is over. */
  answer(token: number, reply: ReplyFrame): void {
    this.#take(token)?.answer(reply);
  }

  /** A call has failed. Nothing happens if it is over. */
  fail(token: number, error: ConnectError): void {
    this.#take(token)?.fail(error);
  }

  /** All have failed. */
  failAll(error: ConnectError): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.fail(error);
  }

  #take(token: number): PendingCall | undefined {
    const call = this.#calls.get(token);
    if (call) this.#calls.delete(token);
    return call;
  }

  #wake(now: number, due: number): void {
    clearTimeout(this.#timer);
    this.#timerDue = due;
    // Node rounds down and may be early by a part of a millisecond. A pending call alone is no reason to keep a process alive.
    this.#timer = setTimeout(() => this.#expire(), Math.ceil(due - now)).unref();
  }

  #expire(): void {
    const now = performance.now();
    this.#timerDue = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const [token, call] of this.#calls) {
      if (call.deadline > now) next = Math.min(next, call.deadline);
      else this.fail(token, refusal("DEADLINE_EXCEEDED", "the call took longer than its deadline"));
    }
    if (next < this.#timerDue) this.#wake(now, next);
  }
}
