import { retryFetch } from "./fetch.js";
import { onThrow } from "./on-throw.js";

/** Tries again inside a task, so that the rest of it need not run again. As in Trigger.dev. */
export const retry = { onThrow, fetch: retryFetch };
