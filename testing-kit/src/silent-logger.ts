import type { Logger } from "@runlane/platform";

const nothing = () => {};

/** Says nothing: what goes wrong in a platform shows in its runs. Not pino's, which a test need not load. */
export const silentLogger = {
  level: "silent",
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => silentLogger,
} as unknown as Logger;
