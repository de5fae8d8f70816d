// A program that triggers tasks with the SDK and takes the time, told by messages what to do. See stage/client.ts.

import { batchTrigger } from "./batch-trigger.js";
import { LastingLoad } from "./lasting-load.js";
import { trigger } from "./trigger.js";
import { triggerAndWait } from "./trigger-and-wait.js";
import { triggerAndWaitAtRate } from "./trigger-and-wait-at-rate.js";
import { triggerAtRate } from "./trigger-at-rate.js";
import { triggerLongHaul } from "./trigger-long-haul.js";

let load: LastingLoad | undefined;

const verbs = {
  trigger,
  batchTrigger,
  triggerAndWait,
  triggerAtRate,
  triggerAndWaitAtRate,
  triggerLongHaul,
  /** Begins to trigger `perSecond` tasks a second, whatever becomes of them. */
  beginLoad: async (perSecond: number): Promise<void> => {
    load = new LastingLoad(perSecond);
  },
  /** Waits for the acknowledgement of a trigger of the load that was called at `sinceMs` or later, and ends the load. Returns the instant. */
  firstAcknowledgement: async (sinceMs: number): Promise<number> => {
    if (!load) throw new Error("there is no load");
    const instant = await load.firstAcknowledgement(sinceMs);
    load.end();
    return instant;
  },
};

/** What a client can be asked to do. */
export type Verbs = typeof verbs;

/** A message to the client. */
export interface Question {
  readonly id: number;
  readonly verb: keyof Verbs;
  readonly args: readonly unknown[];
}

/** The client's message when it has done what it was asked to. */
export interface Answer {
  readonly id: number;
  /** What the verb returned. */
  readonly value?: unknown;
  /** Why it could not. */
  readonly failure?: string;
}

process.on("message", (question: Question) => void answer(question));
// Nobody is left who could ask.
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));

async function answer({ id, verb, args }: Question): Promise<void> {
  const act = verbs[verb] as (...args: readonly unknown[]) => Promise<unknown>;
  const message: Answer = await act(...args).then(
    (value) => ({ id, value }),
    (error: unknown) => ({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
  process.send?.(message);
}
