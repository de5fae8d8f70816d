import { createLogger } from "@runlane/platform";

/** A logger that says nothing. */
export const silentLogger = createLogger({ name: "test", env: { RUNLANE_LOG_LEVEL: "silent" } });
