/** Turns of the event loop without anything on its way, after which nothing is on its way. The longest pause between two hops is one. */
const quietTurns = 4;

// As they are when the module loads: a test may replace them by timers of its own.
const nextTurn = setImmediate;
const wait = setTimeout;
const stopWaiting = clearTimeout;

/** Tells whether anything is on its way between the parts of a platform: each of them notes what it sends. */
export class Activity {
  #count = 0;
  #underWay = 0;
  #waiting: (() => void)[] = [];

  /** Grows with everything that happens. */
  get count(): number {
    return this.#count;
  }

  /** Something happens. */
  note(): void {
    this.#count += 1;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Something happens until the promise settles. */
  async during<T>(promise: Promise<T>): Promise<T> {
    this.#underWay += 1;
    this.note();
    try {
      return await promise;
    } finally {
      this.#underWay -= 1;
      this.note();
    }
  }

  /** Resolves when nothing is on its way. @throws Error if a test has replaced `setImmediate`, without which nothing moves */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < quietTurns; turns += 1) {
      const before = this.#count;
      if (globalThis.setImmediate !== nextTurn) throw new Error(immediateIsFake);
      await new Promise<void>((resolve) => nextTurn(resolve));
      if (this.#count !== before || this.#underWay > 0) turns = -1;
    }
  }

  /** Resolves when something happens: true; or false when nothing has for `ms` milliseconds of real time. */
  async next(ms?: number): Promise<boolean> {
    return await new Promise((resolve) => {
      const timer = ms === undefined ? undefined : wait(() => resolve(false), ms);
      this.#waiting.push(() => {
        stopWaiting(timer);
        resolve(true);
      });
    });
  }
}

const immediateIsFake =
  "setImmediate is replaced by fake timers, and the test platform cannot work without it. Fake only what the task uses: " +
  'vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })';
