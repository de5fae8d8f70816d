/** What a block may cost a runner, in milliseconds: so much later, at most, an attempt of it may end than if it had been given to another runner. */
const blockMs = 5;
/** Attempts of a block at most, because the next ones may be of another kind. */
const maxBlock = 128;
/** The pace is measured over at least so much time that runners were busy, in milliseconds. */
const windowMs = 5;
/** And believed for so long, in milliseconds. */
const validMs = 1_000;

/**
 * How fast busy runners finish attempts, and how many attempts one of them may therefore be given together.
 *
 * A frame to a runner costs more than most of what is in it: writes and wake-ups on the way there and back, and then two frames to the server instead of one. So attempts that are
 * done in no time go to one runner by the server's frame, and the next frame to another: measured with 5,000 runs in flight and two runners, a seventh less cpu a run over all
 * processes. But half of a frame of attempts that compute would wait while another processor is idle. So a block holds what a runner gets done in 5 ms; as long as that is not
 * known, or after a pause, attempts are spread one by one. All times are in milliseconds of a monotonic clock.
 */
export class Pace {
  #busyRunners = 0;
  #busyMs = 0;
  #countedTo = 0;
  #finished = 0;
  /** Attempts that a busy runner finishes in a millisecond. */
  #rate = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;

  /** A runner that had nothing to do has been given something. */
  runnerBusy(now: number): void {
    this.#count(now);
    this.#busyRunners += 1;
  }

  /** A runner has nothing to do any more. */
  runnerIdle(now: number): void {
    this.#count(now);
    this.#busyRunners -= 1;
  }

  /** An attempt has ended. */
  finished(): void {
    this.#finished += 1;
  }

  /** How many of `count` attempts to give to the least loaded runner before the next one is chosen; at least one. */
  block(count: number, now: number): number {
    this.#count(now);
    if (this.#busyMs >= windowMs) {
      this.#rate = this.#finished / this.#busyMs;
      this.#measuredAt = now;
      this.#finished = 0;
      this.#busyMs = 0;
    }
    if (now - this.#measuredAt > validMs) return 1;
    const most = Math.min(maxBlock, Math.floor(this.#rate * blockMs));
    // As many blocks as are needed, and all of one size.
    return most <= 1 ? 1 : Math.ceil(count / Math.ceil(count / most));
  }

  #count(now: number): void {
    this.#busyMs += this.#busyRunners * (now - this.#countedTo);
    this.#countedTo = now;
  }
}
