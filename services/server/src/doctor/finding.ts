/** What a check has found. Words and advice are for people: a sentence without its full stop. */
export interface Finding {
  /**
   * - `ok`: as it should be.
   * - `warn`: works, but not as most people would want it; or something is not there that may not be needed.
   * - `fail`: something will not work.
   * - `skip`: could not be looked at, because of another finding.
   */
  readonly level: "ok" | "warn" | "fail" | "skip";
  readonly words: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** As it should be. */
export const ok = (words: string): Finding => ({ level: "ok", words });
/** Works, but. */
export const warn = (words: string, advice: string): Finding => ({ level: "warn", words, advice });
/** Will not work. */
export const fail = (words: string, advice: string): Finding => ({ level: "fail", words, advice });
/** Could not be looked at. */
export const skip = (words: string): Finding => ({ level: "skip", words });
