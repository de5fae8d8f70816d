import { create } from "@bufbuild/protobuf";
import {
  type Capacity,
  type ConcurrencyLimitDeclaration,
  ConcurrencyLimitDeclarationSchema,
  type QueueDeclaration,
  QueueDeclarationSchema,
  type TaskDeclaration,
  TaskDeclarationSchema,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Chance } from "./chance.js";
import { type Kind, kinds, waitingKinds } from "./kinds.js";

/** A build of a project's code, as its workers declare it. */
export interface Build {
  readonly id: string;
  readonly tasks: TaskDeclaration[];
  readonly queues: QueueDeclaration[];
  readonly limits: ConcurrencyLimitDeclaration[];
}

/** What a history is played with. Small, so that interesting things meet; different for each seed, so that each seed tries something else. */
export interface Setting {
  readonly builds: readonly Build[];
  /** Declare everything and limit nothing, one after the other: let every history come to its end. */
  readonly last: readonly Build[];
  readonly capacities: readonly (Pick<Capacity, "milliCpus" | "memoryMib"> | undefined)[];
  /** How often each kind of command comes. */
  readonly weights: readonly (readonly [Kind, number])[];
  /** Probability that a frame gets lost, late or doubled. */
  readonly faults: number;
  /** Probability that a decision is on disk before the next. */
  readonly promptness: number;
  /** Probability that a trigger asks for something special. */
  readonly wishes: number;
  /** Probability that a trigger asks for a delay, a time to live, or to be collected. */
  readonly timing: number;
  /** Probability that a trigger, or a batch, has an idempotency key. */
  readonly sameness: number;
  readonly keys: readonly string[];
  /** Code waits for times and tokens, records steps, and goes on from its journal when it has lost its worker. */
  readonly waiting: boolean;
  /** Most triggers are for this task, so that its queue is full and its keys take turns; undefined: none is preferred. */
  readonly favourite: string | undefined;
}

/** Tasks that builds declare. */
export const taskIds = ["a", "b", "c", "d"] as const;
/** A task that only the last build declares. */
export const lateTask = "late";
const sharedQueues = ["one", "two"];
const presets = ["micro", "small-2x", "medium-1x"];

/** Makes what a seed plays with. */
export function createSetting(chance: Chance): Setting {
  const limit = () => chance.of([undefined, 0, 1, 1, 2, 3]);
  const queueNames = taskIds.map(() => (chance.is(0.5) ? chance.of(sharedQueues) : ""));
  const queueLimits = new Map(["", ...sharedQueues].map((name) => [name, limit()]));
  const machines = chance.is(0.3);
  const named = chance.is(0.4);
  const rate = () =>
    chance.is(0.25) ? { limit: 1 + chance.below(3), period: { seconds: BigInt(chance.of([1, 7])), nanos: 0 }, burst: chance.below(4) } : undefined;
  const own = chance.is(0.5);
  // Rates stay: what is left of one under another is nobody's promise.
  const rates = sharedQueues.map(() => ({ rateLimit: rate(), keyRateLimit: rate() }));
  const queues = () =>
    own
      ? sharedQueues.map((name, i) =>
          create(QueueDeclarationSchema, { name, ...optional({ concurrencyLimit: limit(), totalLimit: limit() }), ...optional(rates[i] ?? {}) }),
        )
      : [];
  const limits = () =>
    named
      ? ["north", "south"]
          .filter(() => chance.is(0.8))
          .map((name) => create(ConcurrencyLimitDeclarationSchema, { name, ...optional({ perKey: limit(), total: limit() }) }))
      : [];
  const builds = Array.from({ length: 1 + chance.below(3) }, (_, index): Build => {
    const tasks = taskIds
      .filter(() => chance.is(0.85))
      .map((id, i) => {
        // Now and then a build moves a task to another queue, or limits it otherwise.
        const moved = index > 0 && chance.is(0.2);
        const queue = moved ? chance.of(["", ...sharedQueues]) : (queueNames[i] as string);
        const concurrencyLimit = moved ? limit() : queueLimits.get(queue);
        const declaration = { id, queue, machine: machines && chance.is(0.4) ? chance.of(presets) : "", maxDurationSeconds: 0 };
        const concurrency = {
          ...(chance.is(0.3) ? { perKey: chance.below(3) } : {}),
          ...(chance.is(0.3) ? { total: chance.below(4) } : {}),
          limits: chance.of([[], [], ["north"], ["south"], ["north", "south"]]),
        };
        return create(TaskDeclarationSchema, {
          ...declaration,
          ...(named && chance.is(0.5) ? { concurrency } : {}),
          ...(concurrencyLimit === undefined ? {} : { concurrencyLimit }),
          ...(chance.is(0.3) ? { maxAttempts: 1 + chance.below(3) } : {}),
          ...(chance.is(0.15) ? { ttlSeconds: chance.of([1, 20, 300]) } : {}),
        });
      });
    return { id: `build ${index}`, tasks, queues: queues(), limits: limits() };
  });
  const everything = [...taskIds, lateTask];
  const last: Build[] = [
    { id: "last build but one", tasks: everything.map((id) => create(TaskDeclarationSchema, { id })), queues: [], limits: [] },
    {
      id: "last build",
      tasks: everything.map((id, i) =>
        create(TaskDeclarationSchema, { id, queue: sharedQueues[i] ?? "", ...(i < sharedQueues.length ? { concurrencyLimit: 50 } : {}) }),
      ),
      queues: [...sharedQueues, "nowhere"].map((name) => create(QueueDeclarationSchema, { name })),
      limits: ["north", "south"].map((name) => create(ConcurrencyLimitDeclarationSchema, { name })),
    },
  ];
  const setting = {
    builds,
    last,
    capacities: machines ? [{ milliCpus: 1_000, memoryMib: 1_024 }, { milliCpus: 2_500, memoryMib: 4_096 }, undefined] : [undefined],
    weights: Object.entries(kinds).map(([name, weight]) => {
      const kind = name as Kind;
      if (waitingKinds.has(kind)) return [kind, weight] as const;
      return [kind, chance.is(0.25) && kind !== "trigger" && kind !== "connect" ? 0 : weight * (0.5 + chance.next())] as const;
    }),
    faults: chance.of([0, 0, 0.05, 0.2]),
    promptness: chance.of([1, 0.8, 0.4]),
    wishes: chance.of([0.1, 0.5]),
    timing: chance.of([0, 0.05, 0.4]),
    sameness: chance.of([0, 0.1, 0.6]),
    favourite: chance.is(0.3) ? taskIds[0] : undefined,
    keys: ["", "x", "y", "z"].slice(0, 1 + chance.below(4)),
  }; // Behind all else: histories without it are what they were before there was any.
  const waiting = chance.is(0.5);
  return { ...setting, waiting, weights: setting.weights.map(([kind, weight]) => [kind, waitingKinds.has(kind) && !waiting ? 0 : weight] as const) };
}

/** What is set of these. */
function optional<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
}
