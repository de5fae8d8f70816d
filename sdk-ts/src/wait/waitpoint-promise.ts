/** A token was not completed in time. */
export class WaitpointTimeoutError extends Error {
  override readonly name = "WaitpointTimeoutError";
}

/** How a wait for a token ended. Named as in Trigger.dev. */
export type WaitpointTokenTypedResult<TOutput> = { ok: true; output: TOutput } | { ok: false; error: Error };

/** The end of a wait for a token. Named as in Trigger.dev. */
export class ManualWaitpointPromise<TOutput> extends Promise<WaitpointTokenTypedResult<TOutput>> {
  /** What `then` and the others return is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /**
   * What the token was completed with.
   *
   * @throws WaitpointTimeoutError if it was not completed in time.
   */
  async unwrap(): Promise<TOutput> {
    const result = await this;
    if (result.ok) return result.output;
    throw result.error;
  }
}
