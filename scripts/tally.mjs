/** Counts what passed, failed and was skipped, tells it as it goes, and ends with one line that says it all. */
export class Tally {
  #passed = 0;
  #failures = [];
  #repeated = [];
  #skips = [];
  #skipsFail;

  /** @param {{ skipsFail: boolean }} options `skipsFail`: what had to be skipped counts as failed */
  constructor({ skipsFail }) {
    this.#skipsFail = skipsFail;
  }

  /** Counts `count` things that passed. */
  pass(count = 1) {
    this.#passed += count;
  }

  /** Counts one thing that passed, though not at once: it is named at the end, so that nobody overlooks what fails now and then. */
  passOnSecondAttempt(name) {
    this.#passed += 1;
    this.#repeated.push(name);
  }

  /** Counts one thing that failed. */
  fail(name) {
    this.#failures.push(name);
  }

  /** Counts one thing that could not be tried. */
  skip(name) {
    this.#skips.push(name);
  }

  /**
   * Runs one part under a heading and says how long it took. A part that throws counts as one failure.
   *
   * @param {string} name the heading
   * @param {() => Promise<void>} run counts by itself what it finds
   */
  async part(name, run) {
    console.log(`\n== ${name}`);
    const began = performance.now();
    const failedBefore = this.#failures.length;
    try {
      await run();
    } catch (error) {
      console.log(error instanceof Error ? error.message : error);
      this.fail(name);
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`   ${this.#failures.length === failedBefore ? "ok" : "FAILED"} (${seconds} s)`);
  }

  /**
   * Runs one check and tells it under a heading: it counts as one, passed if it finds no problems and does not throw. Several may run at once.
   *
   * @param {string} name the heading
   * @param {() => Promise<string[]> | string[]} find the problems, each a line or more
   */
  async check(name, find) {
    const began = performance.now();
    const problems = await (async () => find())().catch((error) => [error instanceof Error ? error.message : String(error)]);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    // In one piece, at the end: checks run side by side.
    console.log(["", `== ${name}`, ...problems, `   ${problems.length === 0 ? "ok" : "FAILED"} (${seconds} s)`].join("\n"));
    if (problems.length === 0) this.pass();
    else this.fail(name);
  }

  /** Prints what needed a second attempt, what was skipped and what failed, then `N passed, N failed` alone on the last line. Returns the exit code. */
  finish() {
    const failed = this.#failures.length + (this.#skipsFail ? this.#skips.length : 0);
    console.log("");
    for (const name of this.#repeated) console.log(`passed on the second attempt: ${name}`);
    for (const name of this.#skips) console.log(`skipped${this.#skipsFail ? ", which counts as failed here" : ""}: ${name}`);
    for (const name of this.#failures) console.log(`failed: ${name}`);
    console.log(`${this.#passed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  }
}
