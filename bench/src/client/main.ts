// A program that triggers tasks, as programs of a system's users do, and takes the time, told by messages what to do. See stage/client.ts.

import { systemOf } from "../systems/index.js";
import type { Rate } from "./at-rate.js";
import { drain, fillBacklog, fillSeries, finishWithoutWorker, triggerKeyed } from "./backlog.js";
import { batchTrigger } from "./batch-trigger.js";
import { LastingLoad } from "./lasting-load.js";
import { trigger } from "./trigger.js";
import { triggerAndWait } from "./trigger-and-wait.js";
import { triggerAndWaitAtRate } from "./trigger-and-wait-at-rate.js";
import { triggerAtRate } from "./trigger-at-rate.js";
import { triggerLongHaul } from "./trigger-long-haul.js";

let load: LastingLoad | undefined;

const system = await systemOf(process.env);

const verbs = {
  trigger: (count: number, most: number) => trigger(system, count, most),
  batchTrigger: (count: number, size: number) => batchTrigger(system, count, size),
  triggerAndWait: (count: number, most: number) => triggerAndWait(system, count, most),
  triggerAtRate: (rate: Rate) => triggerAtRate(system, rate),
  triggerAndWaitAtRate: (rate: Rate) => triggerAndWaitAtRate(system, rate),
  triggerLongHaul,
  triggerKeyed,
  fillBacklog,
  fillSeries,
  finishWithoutWorker,
  drain,
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
