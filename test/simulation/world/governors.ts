import { create } from "@bufbuild/protobuf";
import {
  type LimitChange,
  LimitChangeSchema,
  UpdateConcurrencyLimitRequestSchema,
  UpdateEnvironmentRequestSchema,
  UpdateQueueRequestSchema,
} from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { decideUpdateEnvironment, decideUpdateLimit, decideUpdateQueue, type Step } from "@runlane/queue/testing/simulated.js";
import type { Chance } from "./chance.js";
import type { SimulatedOwner } from "./owner.js";
import type { Setting } from "./setting.js";

/** People who pause queues, and change limits. */
export class Governors {
  readonly #owner: SimulatedOwner;
  readonly #setting: Setting;

  constructor(owner: SimulatedOwner, setting: Setting) {
    this.#owner = owner;
    this.#setting = setting;
  }

  /** Somebody changes something. */
  govern(chance: Chance): void {
    const { environment } = this.#owner;
    const paused = chance.is(0.25) ? { paused: chance.is(0.4) } : {};
    const change = () => (chance.is(0.7) ? { concurrencyLimit: limitChange(chance) } : {});
    const what = chance.below(4);
    if (what === 0) {
      const request = create(UpdateEnvironmentRequestSchema, { ...paused, ...change(), ...(chance.is(0.3) ? { burstFactor: chance.of([1, 1.5, 2]) } : {}) });
      return this.#decide((step) => decideUpdateEnvironment(step, environment, request));
    }
    if (what === 1) {
      const queue = chance.of([...environment.queues.values()].filter(({ known }) => known));
      if (!queue) return;
      return this.#decide((step) => decideUpdateQueue(step, queue, create(UpdateQueueRequestSchema, { queue: queue.name, ...paused, ...change() })));
    }
    const limit = chance.of([...environment.flow.limits.values()].filter(({ declared }) => declared));
    if (!limit) return;
    const key = what === 2;
    const request = create(UpdateConcurrencyLimitRequestSchema, {
      name: limit.name,
      ...(key
        ? { concurrencyKey: chance.of(this.#setting.keys), perKey: limitChange(chance), ttl: { seconds: BigInt(chance.of([1, 7, 60])) } }
        : { ...paused, ...(chance.is(0.5) ? { total: limitChange(chance) } : { perKey: limitChange(chance) }) }),
    });
    this.#decide((step) => decideUpdateLimit(step, environment, limit, request));
  }

  /** Nothing is paused or limited by anybody. */
  letGo(): void {
    const { environment } = this.#owner;
    const reset = create(LimitChangeSchema, { change: { case: "reset", value: true } });
    this.#decide((step) => {
      decideUpdateEnvironment(step, environment, create(UpdateEnvironmentRequestSchema, { paused: false, concurrencyLimit: reset }));
      for (const queue of environment.queues.values()) {
        decideUpdateQueue(step, queue, create(UpdateQueueRequestSchema, { queue: queue.name, paused: false, concurrencyLimit: reset }));
      }
      for (const limit of environment.flow.limits.values()) {
        decideUpdateLimit(
          step,
          environment,
          limit,
          create(UpdateConcurrencyLimitRequestSchema, { name: limit.name, paused: false, perKey: reset, total: reset }),
        );
        for (const concurrencyKey of limit.keyOverrides.keys()) {
          decideUpdateLimit(step, environment, limit, create(UpdateConcurrencyLimitRequestSchema, { name: limit.name, concurrencyKey, perKey: reset }));
        }
      }
    });
  }

  #decide(decision: (step: Step) => void): void {
    this.#owner.decide(decision, () => ({ kind: "govern" }));
  }
}

function limitChange(chance: Chance): LimitChange {
  return create(LimitChangeSchema, { change: chance.is(0.3) ? { case: "reset", value: true } : { case: "override", value: chance.below(4) } });
}
