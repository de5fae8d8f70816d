import type { AttemptCommand, CommandOutcome, JournalPart, Resume } from "#gen/runlane/v1/worker_service_pb.js";
import type { ActiveTimes } from "./active-times.js";
import type { Evictions } from "./evictions.js";
import type { HeldAttempt } from "./held-attempts.js";

type WaitCommand = Extract<AttemptCommand["command"], { case: "triggerAndWait" | "wait" }>;

/** Keeps note of what attempts wait for, as their supervisor hears of it. While they wait their clocks stand, and they may be asked to leave. */
export class OpenWaits {
  readonly #activeTimes: ActiveTimes;
  readonly #evictions: Evictions;

  constructor(activeTimes: ActiveTimes, evictions: Evictions) {
    this.#activeTimes = activeTimes;
    this.#evictions = evictions;
  }

  /** The waits that are open in the journal of an attempt that goes on. */
  reopen(attempt: HeldAttempt, parts: readonly JournalPart[]): void {
    for (const { entries } of parts) {
      for (const { waitId, settled } of entries) if (waitId > 0 && settled === 0) attempt.openWaits = (attempt.openWaits ?? new Set()).add(waitId);
    }
  }

  /** An attempt sends a command. True if it begins to wait by it. */
  asked(attempt: HeldAttempt, command: AttemptCommand["command"]): boolean {
    if (beginsWait(command)) {
      attempt.openWaits ??= new Set();
      attempt.openWaits.add(command.value.waitId);
    } else if (command.case !== "continueWaiting") return false;
    this.#activeTimes.stop(attempt.key);
    return beginsWait(command);
  }

  /** The server has answered a command. */
  answered(attempt: HeldAttempt, command: AttemptCommand["command"], { error, outcomes }: CommandOutcome): void {
    const begins = beginsWait(command);
    if (!begins && command.case !== "continueWaiting") return;
    // Nothing waits for items that could not be triggered, nor for what was refused.
    const waits = error === undefined && (command.case !== "triggerAndWait" || outcomes.some(({ outcome }) => outcome.case === "runId"));
    if (begins && !waits) attempt.openWaits?.delete(command.value.waitId);
    if (!isWaiting(attempt)) this.#activeTimes.start(attempt.key);
    else if (waits && !attempt.restarts) this.#evictions.waits(attempt.key);
  }

  /** The server says how a wait ended. True if the attempt has it open. */
  ended(attempt: HeldAttempt, { waitId, more }: Resume): boolean {
    if (!attempt.openWaits?.has(waitId)) return false;
    if (more) return true;
    attempt.openWaits.delete(waitId);
    this.#activeTimes.start(attempt.key);
    this.#evictions.goesOn(attempt.key);
    return true;
  }
}

/** Some wait of the attempt is open. */
export function isWaiting(attempt: HeldAttempt | undefined): boolean {
  return (attempt?.openWaits?.size ?? 0) > 0;
}

function beginsWait(command: AttemptCommand["command"]): command is WaitCommand {
  return command.case === "triggerAndWait" || command.case === "wait";
}
