import { checkBatch } from "./batches.js";
import type { Model } from "./model.js";
import type { Cause, Observation, Outcome } from "./observation.js";
import { partFault, wordOf } from "./triggers.js";
import { promise } from "./violation.js";

/** How long a request is known again. */
const requestMs = 10 * 60_000;

/** Checks what programs hear: of what they triggered, and of what they wanted changed. */
export class Answers {
  readonly #model: Model;
  /** When a request was answered first, and how. */
  readonly #requests = new Map<string, { readonly told: string; readonly at: number }>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** Checks the answer of an observation, whose events have been followed. */
  check(seen: Observation): void {
    const { cause } = seen;
    switch (cause.kind) {
      case "trigger":
        return this.#triggered(cause, seen);
      case "batch":
        return this.#batch(cause, seen);
      case "readBatch":
        return checkBatch(this.#model, cause.batch);
      case "reschedule": {
        const moved = seen.events.some(({ event }) => event.case === "runRescheduled");
        if (cause.refused === undefined) promise(moved, () => `run ${cause.run} is to have another time, and has not`);
        else promise(!moved && this.#model.run(cause.run).place !== "delayed", () => `run ${cause.run} is delayed, and cannot have another time`);
        return;
      }
      case "endKey": {
        const ended = seen.events.some(({ event }) => event.case === "idempotencyKeyEnded");
        const left = this.#model.keys.holder(cause.taskId, cause.key, seen.now);
        const whose = () => `key ${cause.key} of task ${cause.taskId} is to end: ${cause.refused ?? "it has"}, and run ${left?.number} has it`;
        promise(left === undefined && ended === (cause.refused === undefined), whose);
        return;
      }
    }
  }

  /** Every item has its outcome, and a request that comes again has those that it had. */
  #triggered({ requestId, items, outcomes }: Pick<Extract<Cause, { kind: "trigger" }>, "requestId" | "items" | "outcomes">, { now }: Observation): void {
    promise(outcomes.length === items.length, () => `${items.length} triggers have ${outcomes.length} outcomes`);
    const told = outcomes.map(inWords).join();
    const due = this.#model.outcomes.get(requestId);
    promise(due === told, () => `${requestId} came to ${due}, and is answered with ${told}`);
    const before = this.#requests.get(requestId);
    const repeated = before !== undefined && now - before.at < requestMs;
    promise(!repeated || before.told === told, () => `${requestId} is answered with ${told}, and was with ${before?.told}`);
    if (before?.told !== told) this.#requests.set(requestId, { told, at: now });
  }

  #batch(cause: Extract<Cause, { kind: "batch" }>, seen: Observation): void {
    const { part, answer, items, requestId } = cause;
    const { batches, keys } = this.#model;
    const fault = partFault(this.#model, part, items.length);
    if ("refused" in answer) {
      promise(answer.refused === fault, () => `a part of ${part.batchId || "a batch"} is refused as ${answer.refused}, not as ${fault}`);
      return;
    }
    const batch = batches.get(answer.number);
    if (answer.cached) {
      const holder = part.batchId === "" && part.idempotencyKey ? keys.batchOf(part.idempotencyKey.key, seen.now) : undefined;
      promise(holder?.number === answer.number && seen.events.length === 0, () => `batch ${answer.number} is found, and has not the key`);
      return;
    }
    this.#triggered({ requestId, items, outcomes: answer.outcomes }, seen);
    if (!seen.events.some(({ event }) => event.case === "runsCreated")) return;
    promise(fault === undefined, () => `a part of ${part.batchId} is taken, and was to be refused as ${fault}`);
    promise(batch?.items.length === answer.size, () => `batch ${answer.number} has ${batch?.items.length} items, and says ${answer.size}`);
    promise(!part.seal || batch?.state !== "open", () => `the last part of batch ${answer.number} came, and it is open`);
  }
}

function inWords(outcome: Outcome): string {
  return "run" in outcome ? wordOf(outcome.run, outcome.cached) : outcome.refused;
}
