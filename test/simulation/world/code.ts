import { create } from "@bufbuild/protobuf";
import { FailureKind } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type { BatchPart, TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type AttemptCommand, AttemptCommandSchema, AttemptResultSchema, JournalKind } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Chance } from "./chance.js";
import { type Attempt, nameOf, type Sent, type SimulatedWorker } from "./worker.js";

/** What running code, or its worker, may do. */
export type Act =
  | "accept"
  | "decline"
  | "succeed"
  | "fail"
  | "release"
  | "spawn"
  | "wait"
  | "waitOn"
  | "update"
  | "waitTime"
  | "waitToken"
  | "record"
  | "confirm";

/** The world around running code. */
interface Surroundings {
  readonly send: (worker: SimulatedWorker, frame: Sent, chance: Chance) => void;
  readonly item: (chance: Chance) => TriggerItem;
  /** What makes a trigger a part of a batch. */
  readonly part: (chance: Chance) => BatchPart;
  /** Whether there may be more runs. */
  readonly mayTrigger: () => boolean;
  readonly tokenId: (chance: Chance) => string;
}

const journalKinds: Readonly<Record<string, JournalKind>> = {
  trigger: JournalKind.TRIGGER,
  triggerAndWait: JournalKind.TRIGGER_AND_WAIT,
  wait: JournalKind.WAIT_TIME,
  record: JournalKind.STEP,
};

/** The code of attempts. */
export class RunningCode {
  readonly #world: Surroundings;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** What an attempt does so that it ends, and well. Returns whether it did something, rather than wait. */
  end(worker: SimulatedWorker, attempt: Attempt, chance: Chance): boolean {
    if (attempt.missing > 0) return false;
    const isNew = !attempt.accepted;
    if (isNew) {
      attempt.accepted = true;
      this.#world.send(worker, { accepted: [attempt.token] }, chance);
    }
    if (attempt.canceled) this.#world.send(worker, { cancelConfirmed: [attempt.token] }, chance);
    else if (attempt.openWaits.size === 0) this.#world.send(worker, { results: [create(AttemptResultSchema, { token: attempt.token })] }, chance);
    else if (attempt.mustWaitOn) this.#waitOn(worker, attempt, chance);
    else return isNew;
    return true;
  }

  /** Lets the code, or the worker for it, do something. */
  act(kind: Act, worker: SimulatedWorker, chance: Chance): void {
    const attempts = [...worker.attempts.values()].filter(({ missing }) => missing <= 0);
    if (kind === "accept" || kind === "decline") {
      const offered = attempts.filter(({ accepted }) => !accepted);
      if (offered.length === 0) return;
      const taken = kind === "accept" ? offered.slice(0, 1 + chance.below(offered.length)) : [];
      for (const attempt of taken) attempt.accepted = true;
      const declined = kind === "decline" ? [chance.of(offered)] : [];
      for (const { token } of declined) worker.attempts.delete(nameOf(token));
      return this.#world.send(worker, { accepted: taken.map(({ token }) => token), declined: declined.map(({ token }) => ({ token })) }, chance);
    }
    if (kind === "confirm") {
      const canceled = attempts.filter((attempt) => attempt.canceled && !attempt.result);
      for (const attempt of canceled) attempt.confirmed = true;
      if (canceled.length > 0) this.#world.send(worker, { cancelConfirmed: canceled.map(({ token }) => token) }, chance);
      return;
    }
    const attempt = chance.of(attempts.filter(({ result, confirmed }) => !result && !confirmed));
    if (!attempt) return;
    attempt.accepted = true;
    switch (kind) {
      case "succeed":
        return this.#report(worker, attempt, { case: undefined }, chance);
      case "release":
        return this.#report(worker, attempt, { case: "release", value: { reason: "" } }, chance);
      case "fail": {
        const oom = chance.is(0.15);
        const delayMs = chance.of([undefined, 0, 500, 5_000, 29_999, 30_000, 90_000]);
        const failure = oom ? { kind: FailureKind.INTERNAL, code: "TASK_PROCESS_OOM_KILLED" } : { kind: FailureKind.ERROR, message: "no" };
        const retryDelay = delayMs === undefined ? undefined : { seconds: BigInt(Math.floor(delayMs / 1_000)), nanos: (delayMs % 1_000) * 1e6 };
        const value = {
          failure,
          processLost: chance.is(0.1),
          ...(retryDelay ? { retryDelay } : {}),
          ...(oom && chance.is(0.5) ? { retryMachine: "medium-1x" } : {}),
        };
        return this.#report(worker, attempt, { case: "failure", value }, chance);
      }
      case "spawn":
      case "wait": {
        if (!this.#world.mayTrigger()) return;
        const items = Array.from({ length: 1 + chance.below(3) }, () => this.#world.item(chance));
        if (kind === "spawn") {
          const batch = chance.is(0.3) ? { batch: this.#world.part(chance) } : {};
          return this.#command(worker, attempt, { case: "trigger", value: { items, ...batch } }, chance);
        }
        attempt.waits += 1;
        attempt.openWaits.add(attempt.waits);
        return this.#command(worker, attempt, { case: "triggerAndWait", value: { waitId: attempt.waits, items } }, chance);
      }
      case "waitTime":
      case "waitToken": {
        attempt.waits += 1;
        attempt.openWaits.add(attempt.waits);
        const condition =
          kind === "waitToken"
            ? ({ case: "tokenId", value: this.#world.tokenId(chance) } as const)
            : ({ case: "forMs", value: BigInt(chance.of([0, 1, 700, 5_000, 11_000, 40_000, 600_000])) } as const);
        return this.#command(worker, attempt, { case: "wait", value: { waitId: attempt.waits, condition } }, chance);
      }
      case "record": {
        const outcome = chance.is(0.8)
          ? ({ case: "output", value: { data: Uint8Array.of(chance.below(256)) } } as const)
          : ({ case: "failure", value: { kind: FailureKind.ERROR, message: "no" } } as const);
        return this.#command(worker, attempt, { case: "record", value: { outcome } }, chance);
      }
      case "waitOn":
        if (attempt.mustWaitOn) this.#waitOn(worker, attempt, chance);
        return;
      case "update":
        return this.#command(worker, attempt, { case: "updateRun", value: { addTags: [`tag ${chance.below(3)}`], metadata: [] } }, chance);
    }
  }

  #waitOn(worker: SimulatedWorker, attempt: Attempt, chance: Chance): void {
    attempt.mustWaitOn = false;
    this.#command(worker, attempt, { case: "continueWaiting", value: { openWaits: [...attempt.openWaits] } }, chance);
  }

  #report(
    worker: SimulatedWorker,
    attempt: Attempt,
    outcome: NonNullable<Parameters<typeof create<typeof AttemptResultSchema>>[1]>["outcome"],
    chance: Chance,
  ): void {
    attempt.result = create(AttemptResultSchema, { token: attempt.token, outcome });
    this.#world.send(worker, { results: [attempt.result] }, chance);
  }

  #command(
    worker: SimulatedWorker,
    attempt: Attempt,
    command: NonNullable<Parameters<typeof create<typeof AttemptCommandSchema>>[1]>["command"],
    chance: Chance,
  ): void {
    attempt.commands += 1;
    const kind = worker.journal && (command?.case === "record" || chance.is(0.93)) ? journalKinds[command?.case ?? ""] : undefined;
    const key = kind === undefined ? {} : { journalKey: { kind, name: `call ${attempt.commands}` } };
    const message: AttemptCommand = create(AttemptCommandSchema, { token: attempt.token, commandId: attempt.commands, command, ...key });
    attempt.unanswered.set(attempt.commands, message);
    this.#world.send(worker, { commands: chance.is(0.1) ? [message, message] : [message] }, chance);
  }
}
