import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import {
  type AttemptCommand,
  type AttemptResult,
  type Capacity,
  type Hello,
  HelloSchema,
  type WorkRequestSchema,
  type WorkResponse,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Build } from "./setting.js";

/** An attempt that a worker was given. */
export interface Attempt {
  readonly token: Uint8Array;
  readonly runId: string;
  readonly taskId: string;
  accepted: boolean;
  canceled: boolean;
  /** It is over, and no receipt has come. */
  result: AttemptResult | undefined;
  confirmed: boolean;
  readonly openWaits: Set<number>;
  /** A resume was handled, and other waits are open. */
  mustWaitOn: boolean;
  waits: number;
  commands: number;
  readonly unanswered: Map<number, AttemptCommand>;
  /** Entries of its journal that have not come so far. */
  missing: number;
}

/** A worker that keeps to the protocol, at the other end of a stream that may lose, repeat and delay frames. */
export class SimulatedWorker {
  readonly id: string;
  readonly build: Build;
  readonly slots: number;
  readonly capacity: Pick<Capacity, "milliCpus" | "memoryMib"> | undefined;
  /** It names its calls, and goes on from journals. */
  readonly journal: boolean;
  incarnation: number;
  /** Its stream; undefined while it has none. */
  streamId: string | undefined;
  /** It was asked for a Hello, or knows that it must say one. */
  mustHello = true;
  /** A frame to it was lost: what is between it and the owner will notice. */
  missed = false;
  draining = false;
  sent = 0;
  readonly attempts = new Map<string, Attempt>();
  /** When it sent the last heartbeat, or Hello, that was answered. */
  answeredAt = 0;
  #assignmentSequence = 0n;
  #askedAt = 0;
  #mustList = false;

  constructor(id: string, incarnation: number, build: Build, slots: number, capacity: Pick<Capacity, "milliCpus" | "memoryMib"> | undefined, journal: boolean) {
    this.journal = journal;
    this.id = id;
    this.incarnation = incarnation;
    this.build = build;
    this.slots = slots;
    this.capacity = capacity;
  }

  /** The Hello that it says now. */
  hello(now: number): Hello {
    this.#askedAt = now;
    this.#mustList = false;
    this.draining = false;
    for (const [key, { accepted }] of this.attempts) if (!accepted) this.attempts.delete(key);
    return create(HelloSchema, {
      protocolRevision: 1,
      workerId: this.id,
      incarnation: BigInt(this.incarnation),
      slots: this.slots,
      buildId: this.build.id,
      tasks: this.build.tasks,
      queues: this.build.queues,
      concurrencyLimits: this.build.limits,
      held: [...this.attempts.values()].map(({ token, openWaits }) => ({ token, openWaits: [...openWaits] })),
      capabilities: this.journal ? ["journal"] : [],
      ...(this.capacity ? { capacity: this.capacity } : {}),
    });
  }

  /** A frame with what has no receipt or answer, to send again after a Welcome; undefined if there is nothing. */
  repeated(): MessageInitShape<typeof WorkRequestSchema> | undefined {
    const attempts = [...this.attempts.values()];
    const results = attempts.flatMap(({ result }) => (result ? [result] : []));
    const cancelConfirmed = attempts.flatMap(({ confirmed, token }) => (confirmed ? [token] : []));
    const commands = attempts.flatMap(({ unanswered }) => [...unanswered.values()]);
    return results.length + cancelConfirmed.length + commands.length > 0 ? { results, cancelConfirmed, commands } : undefined;
  }

  /** A heartbeat, or the list of what it holds if it was asked for. */
  heartbeat(now: number): MessageInitShape<typeof WorkRequestSchema> {
    const held = [...this.attempts.values()].filter(({ accepted }) => accepted);
    if (this.#mustList) {
      this.#mustList = false;
      const list = held.map(({ token, openWaits }) => ({ token, openWaits: [...openWaits] }));
      return { heldList: { assignmentSequence: this.#assignmentSequence, held: list } };
    }
    this.#askedAt = now;
    let heldDigest = 0n;
    for (const { token } of held) heldDigest ^= new DataView(token.buffer, token.byteOffset).getBigUint64(token.length - 8);
    return { heartbeat: { sequence: 1n, assignmentSequence: this.#assignmentSequence, heldCount: held.length, heldDigest } };
  }

  /** Takes a frame of the owner. Returns whether it is to send again what has no answer. */
  take(message: WorkResponse): boolean {
    if (message.welcome) {
      this.mustHello = false;
      this.missed = false;
      this.answeredAt = this.#askedAt;
    } else if (this.mustHello) {
      return false;
    }
    for (const { token, sequence, runId, taskId, journalLength } of message.assignments) {
      this.#assignmentSequence = sequence;
      this.attempts.set(nameOf(token), {
        token,
        runId,
        taskId,
        accepted: false,
        canceled: false,
        result: undefined,
        confirmed: false,
        openWaits: new Set(),
        mustWaitOn: false,
        waits: 0,
        commands: 0,
        unanswered: new Map(),
        missing: journalLength,
      });
    }
    for (const { token, entries } of message.journalParts) {
      const attempt = this.attempts.get(nameOf(token));
      if (!attempt) continue;
      for (const { commandId, waitId, settled, more } of entries) {
        // Its code goes on behind all of them, and waits for what is open.
        attempt.commands = Math.max(attempt.commands, commandId);
        attempt.waits = Math.max(attempt.waits, waitId);
        if (waitId > 0 && settled === 0) attempt.openWaits.add(waitId);
        if (!more) attempt.missing -= 1;
      }
      attempt.mustWaitOn = attempt.openWaits.size > 0;
    }
    for (const { token } of message.receipts) this.attempts.delete(nameOf(token));
    for (const { token, commandId, outcomes, error } of message.commandOutcomes) {
      const runs = outcomes.filter(({ outcome }) => outcome.case === "runId").length;
      this.#answered(nameOf(token), commandId, runs, error !== undefined);
    }
    for (const { token, waitId, more } of message.resumes) {
      const attempt = this.attempts.get(nameOf(token));
      if (!attempt || more || !attempt.openWaits.delete(waitId)) continue;
      attempt.mustWaitOn = attempt.openWaits.size > 0;
    }
    for (const { token } of message.cancels) {
      const attempt = this.attempts.get(nameOf(token));
      if (attempt) attempt.canceled = true;
    }
    for (const token of message.lost) this.attempts.delete(nameOf(token));
    if (message.heartbeat) {
      this.answeredAt = this.#askedAt;
      this.#mustList = message.heartbeat.listHeld;
    }
    return message.welcome !== undefined;
  }

  /** It ends its attempts before its lease can have ended; what is in its outbox stays. */
  mind(now: number, leaseMs: number): void {
    if (now - this.answeredAt < leaseMs - 500) return;
    for (const [key, { result }] of this.attempts) if (!result) this.attempts.delete(key);
  }

  #answered(key: string, commandId: number, runs: number, refused: boolean): void {
    const attempt = this.attempts.get(key);
    const command = attempt?.unanswered.get(commandId)?.command;
    attempt?.unanswered.delete(commandId);
    // There are no runs: nothing is waited for.
    const hasBegun = command?.case === "triggerAndWait" ? !refused && runs > 0 : !refused;
    if (attempt && !hasBegun && (command?.case === "triggerAndWait" || command?.case === "wait")) attempt.openWaits.delete(command.value.waitId);
  }
}

/** A token as a key of maps. */
export function nameOf(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString("latin1");
}

/** Frames that a worker sends. */
export type Sent = MessageInitShape<typeof WorkRequestSchema>;
