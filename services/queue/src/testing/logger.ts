import type { Logger } from "@runlane/platform";

const nothing = () => {};

/** A logger that says nothing. */
export const silentLogger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing } as unknown as Logger;
