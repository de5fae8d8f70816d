import { create } from "@bufbuild/protobuf";
import { DebounceMode, type TriggerItem, TriggerItemSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { RescheduleRunRequestSchema } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import {
  addSubscriber,
  type CreatedRuns,
  decideCancel,
  decideKeyEnd,
  decidePromote,
  decideReschedule,
  decideTrigger,
  forEachOutcome,
  phases,
  tellResult,
} from "@runlane/queue/testing/simulated.js";
import type { Outcome } from "../oracle/observation.js";
import type { Chance } from "./chance.js";
import type { SimulatedOwner } from "./owner.js";
import { lateTask, type Setting, taskIds } from "./setting.js";

/** Programs that trigger runs, cancel them, and wait for results. */
export class Clients {
  readonly #owner: SimulatedOwner;
  readonly #setting: Setting;
  readonly #requests: { readonly id: string; readonly items: TriggerItem[]; heard: string | undefined }[] = [];

  constructor(owner: SimulatedOwner, setting: Setting) {
    this.#owner = owner;
    this.#setting = setting;
  }

  /** Something to trigger. */
  item(chance: Chance): TriggerItem {
    const { wishes, timing, sameness, keys, favourite } = this.#setting;
    const versions = [...this.#owner.environment.versions.byNumber.keys()];
    const wish = () => chance.is(wishes * 0.3);
    return create(TriggerItemSchema, {
      payload: { data: Uint8Array.of(chance.below(256)) },
      taskId: chance.is(0.03) ? lateTask : favourite && chance.is(0.8) ? favourite : chance.of(taskIds),
      options: {
        ...(wish() ? { maxAttempts: 1 + chance.below(3) } : {}),
        ...(wish() ? { queue: chance.of(["one", "two"]) } : {}),
        ...(wish() ? { machine: chance.of(["micro", "small-2x", "medium-1x", "large-2x"]) } : {}),
        ...(wish() && versions.length > 0 ? { version: chance.of(["20200101.1", ...versions, ...versions]) } : {}),
        ...(wish() ? { tags: ["t"] } : {}),
        ...(wish() ? { queue: "nowhere" } : {}),
        ...(wish() ? { prioritySeconds: chance.of([-5, 1, 30, 3_600]) } : {}),
        ...(wish() ? { weight: 1 + chance.below(3) } : {}),
        ...(wish() ? { concurrencyLimits: { names: chance.of([[], ["north"], ["south"], ["north", "south"]]) } } : {}),
        concurrencyKey: chance.is(favourite ? 0.9 : wishes) ? chance.of(keys) : "",
        ...(chance.is(sameness) ? { idempotencyKey: idempotencyKey(chance) } : {}),
        ...(chance.is(timing) ? { ttlSeconds: chance.of([0, 1, 5, 60, 600]) } : {}),
        ...(chance.is(timing) ? postponed(chance) : {}),
      },
    });
  }

  trigger(chance: Chance): void {
    const items = Array.from({ length: 1 + chance.below(4) }, () => this.item(chance));
    const request = { id: `request ${this.#requests.length}`, items, heard: undefined };
    this.#requests.push(request);
    this.#ask(request);
  }

  /** A client that saw no answer, or lost it, asks the same again. */
  repeat(chance: Chance): void {
    if (this.#requests.length > 0) this.#ask(chance.of(this.#requests.slice(-8)));
  }

  cancel(chance: Chance): void {
    const live = [...this.#owner.durable.runs.values()].filter(({ phase }) => !phases[phase].final);
    const parents = live.filter(({ children }) => children !== undefined);
    const run = chance.of(parents.length > 0 && chance.is(0.5) ? parents : live);
    if (!run) return;
    this.#owner.decide(
      (step) => decideCancel(step, run, "enough"),
      () => ({ kind: "cancel", run: run.number, reason: "enough" }),
    );
  }

  promote(chance: Chance): void {
    const { environment } = this.#owner;
    const record = chance.of([...environment.versions.byNumber.values()]);
    if (!record) return;
    this.#owner.decide(
      (step) => decidePromote(step, environment, record),
      () => ({ kind: "promote", version: record.version }),
    );
  }

  subscribe(chance: Chance): void {
    const run = chance.of([...this.#owner.durable.runs.values()].slice(-12));
    if (!run) return;
    const subscriber = `subscriber ${chance.below(2)}`;
    this.#owner.decide(
      (step) => {
        if (phases[run.phase].final) tellResult(step, subscriber, run);
        else addSubscriber(step.volatile.results, run.number, subscriber);
      },
      () => ({ kind: "subscribe", run: run.number, subscriber }),
    );
  }

  reschedule(chance: Chance): void {
    const delayed = [...this.#owner.durable.runs.values()].filter(({ phase }) => phase === "deferred");
    const run = chance.of(chance.is(0.9) ? delayed : [...this.#owner.durable.runs.values()]);
    if (!run) return;
    const seconds = chance.of([0, 1, 20, 100]);
    const request = create(RescheduleRunRequestSchema, { delay: { case: "delayFor", value: { seconds: BigInt(seconds), nanos: 0 } } });
    this.#owner.decide(
      (step) => ({ refused: decideReschedule(step, run, request)?.reason, dueMs: seconds === 0 ? 0 : step.now + seconds * 1_000 }),
      (result) => ({ kind: "reschedule", run: run.number, ...result }),
    );
  }

  endKey(chance: Chance): void {
    const { environment } = this.#owner;
    const [taskId, key] = [chance.of(taskIds), chance.of(idempotencyKeys)];
    this.#owner.decide(
      (step) => decideKeyEnd(step, environment, taskId, key)?.reason,
      (refused) => ({ kind: "endKey", taskId, key, refused }),
    );
  }

  #ask({ id, items }: { readonly id: string; readonly items: TriggerItem[] }): void {
    const { environment } = this.#owner;
    this.#owner.decide(
      (step) => decideTrigger(step, { environment, requestId: id, items }),
      (created) => {
        return { kind: "trigger", requestId: id, items, outcomes: outcomesOf(created) };
      },
    );
  }
}

/** Few, so that triggers meet. */
const idempotencyKeys = ["k", "l"];

/** A key of a trigger, or of a batch. */
export function idempotencyKey(chance: Chance): { readonly key: string; readonly ttl: { readonly seconds: bigint; readonly nanos: number } } {
  return { key: chance.of(idempotencyKeys), ttl: { seconds: BigInt(chance.of([1, 30, 600, 86_400])), nanos: 0 } };
}

/** What a caller hears of each item. */
export function outcomesOf(created: CreatedRuns): Outcome[] {
  const outcomes: Outcome[] = [];
  forEachOutcome(created, (_, outcome, cached) => outcomes.push(typeof outcome === "number" ? { run: outcome, cached } : { refused: outcome.reason }));
  return outcomes;
}

/** A delay, or to be collected into one run with others. */
function postponed(chance: Chance) {
  const seconds = chance.of([0, 1, 20, 100]);
  if (chance.is(0.4)) return { delay: { case: "delayFor" as const, value: { seconds: BigInt(seconds), nanos: 0 } } };
  return {
    debounce: {
      key: chance.of(["d", "e"]),
      delay: { seconds: BigInt(Math.max(1, seconds)), nanos: 0 },
      mode: chance.of([DebounceMode.UNSPECIFIED, DebounceMode.LEADING, DebounceMode.TRAILING]),
      ...(chance.is(0.4) ? { maxDelay: { seconds: BigInt(Math.max(1, seconds) + chance.of([1, 30])), nanos: 0 } } : {}),
    },
  };
}
