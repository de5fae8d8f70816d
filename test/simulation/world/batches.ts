import { create } from "@bufbuild/protobuf";
import { type BatchPart, BatchPartSchema, type TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { batchIdOf, batchMessageOf, decideBatchPart } from "@runlane/queue/testing/simulated.js";
import type { Cause } from "../oracle/observation.js";
import type { Chance } from "./chance.js";
import { idempotencyKey, outcomesOf } from "./clients.js";
import type { SimulatedOwner } from "./owner.js";
import type { Setting } from "./setting.js";

/** A request that was sent. */
interface Request {
  readonly id: string;
  readonly part: BatchPart;
  readonly items: readonly TriggerItem[];
}

/** Programs that trigger batches, part by part; and leave some of them unfinished, send parts again, leave gaps, and send more than was to come. */
export class Batches {
  readonly #owner: SimulatedOwner;
  readonly #setting: Setting;
  readonly #item: (chance: Chance) => TriggerItem;
  readonly #requests: Request[] = [];

  constructor(owner: SimulatedOwner, setting: Setting, item: (chance: Chance) => TriggerItem) {
    this.#owner = owner;
    this.#setting = setting;
    this.#item = item;
  }

  /** A part of a batch that does not exist so far, or of one of the last. */
  part(chance: Chance): BatchPart {
    const seal = chance.is(0.4);
    const batch = chance.of([...this.#owner.durable.batches.byNumber.values()].slice(-3));
    if (!batch || chance.is(0.4))
      return create(BatchPartSchema, { seal, ...(chance.is(this.#setting.sameness) ? { idempotencyKey: idempotencyKey(chance) } : {}) });
    const number = chance.is(0.95) ? batch.number : batch.number + 1;
    const firstIndex = chance.is(0.7) ? batch.size : chance.below(batch.size + 2);
    return create(BatchPartSchema, { batchId: batchIdOf(this.#owner.environment, number), firstIndex, seal });
  }

  /** Sends a part, or one that was sent already. */
  send(chance: Chance): void {
    const before = chance.is(0.2) ? chance.of(this.#requests.slice(-4)) : undefined;
    const id = before && chance.is(0.5) ? before.id : `part ${this.#requests.length}`;
    // A part may do no more than seal its batch.
    const items = before?.items ?? Array.from({ length: chance.of([0, 1, 2, 3, 4]) }, () => this.#item(chance));
    const request = { id, part: before?.part ?? this.part(chance), items };
    this.#requests.push(request);
    this.#ask(request);
  }

  /** Looks at one of the last. */
  read(chance: Chance): void {
    const batch = chance.of([...this.#owner.durable.batches.byNumber.keys()].slice(-4));
    if (batch !== undefined) this.#read(batch);
  }

  /** Looks at all that are known. */
  readAll(): void {
    for (const number of this.#owner.durable.batches.byNumber.keys()) this.#read(number);
    this.#owner.commit();
  }

  #read(number: number): void {
    this.#owner.decide(
      ({ durable }) => durable.batches.byNumber.get(number),
      (batch) => ({ kind: "readBatch", batch: batchMessageOf(batch as NonNullable<typeof batch>) }),
    );
  }

  #ask({ id, part, items }: Request): void {
    const { environment } = this.#owner;
    this.#owner.decide(
      (step) => decideBatchPart(step, { environment, requestId: id, items }, part),
      (given): Cause => {
        const asked = { kind: "batch", requestId: id, part, items } as const;
        if (given.kind !== "created") return { ...asked, answer: { refused: given.kind === "refused" ? given.refusal.reason : given.kind } };
        const { created } = given;
        return { ...asked, answer: { number: 0, size: 0, cached: false, ...created.batch, outcomes: outcomesOf(created) } };
      },
    );
  }
}
