import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { retryDelayOf } from "@runlane/sdk/internal";

/** How long to go on without a word from the server, in milliseconds. */
export interface SilenceLimits {
  /** Until its first word. Default 5,000. */
  firstWordMs?: number;
  /** Afterwards: a server that restarts takes its time. Default 60,000. */
  laterWordMs?: number;
}

const pauseMs = 250;

/** Whoever listens to a server over broken streams asks here whether to try again. */
export class ServerSilence {
  readonly #laterWordMs: number;
  #limitMs: number;
  #lastWord = performance.now();

  constructor({ firstWordMs = 5_000, laterWordMs = 60_000 }: SilenceLimits = {}) {
    this.#limitMs = firstWordMs;
    this.#laterWordMs = laterWordMs;
  }

  /** The server has said something. */
  broken(): void {
    this.#lastWord = performance.now();
    this.#limitMs = this.#laterWordMs;
  }

  /** Waits before another try. @throws ConnectError what the server refused with, or UNAVAILABLE if nothing was heard of it for too long. */
  async outlast(error: unknown): Promise<void> {
    const failure = ConnectError.from(error);
    if (failure.code !== Code.Unavailable || performance.now() - this.#lastWord > this.#limitMs) throw failure;
    await sleep(Math.max(pauseMs, retryDelayOf(failure) ?? 0));
  }
}
