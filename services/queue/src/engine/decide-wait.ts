import type { JournalKey, RecordCommand, WaitCommand } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { boundFailure, outputFault } from "./attempt-outcome.js";
import { entryRecorded, waitBegan } from "./events.js";
import { keyFault } from "./journal.js";
import { refuseCommand as refuse } from "./refuse-command.js";
import { tokenNumberOf } from "./run-id.js";
import type { CommandAnswer, RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";

/** The longest wait for a time, counted from now: 366 days. */
const longestWaitMs = 366 * 24 * 60 * 60_000;
/** How far off the end of a wait may be that names it: 10 years. */
const farthestEndMs = 10 * longestWaitMs;

/** Begins a wait for a time or a token. */
export function decideWait(step: Step, run: RunRecord, commandId: number, { waitId, condition }: WaitCommand): CommandAnswer {
  const invalid = (message: string) => refuse(step, run, commandId, { reason: "INVALID_FIELD", message });
  if (run.waits?.has(waitId)) return invalid(`wait_id ${waitId} names an earlier wait of this attempt; count on`);
  switch (condition.case) {
    case "forMs":
      if (condition.value > BigInt(longestWaitMs)) return invalid(`for_ms: a wait lasts at most ${longestWaitMs} ms`);
      // Not from the time of the batch, which may be earlier than the worker asked: no wait ends early.
      emit(step, waitBegan(run, waitId, { untilMs: step.clock + Number(condition.value), commandId }));
      return { kind: "done" };
    case "untilMs":
      if (condition.value > BigInt(step.now + farthestEndMs)) return invalid("until_ms: a wait ends within 10 years");
      emit(step, waitBegan(run, waitId, { untilMs: Math.max(1, Number(condition.value)), commandId }));
      return { kind: "done" };
    case "tokenId": {
      const token = run.environment.tokens.byNumber.get(tokenNumberOf(run.environment, condition.value) ?? 0);
      if (!token)
        return refuse(step, run, commandId, { reason: "TOKEN_NOT_FOUND", message: `there is no token ${condition.value.slice(0, 64)}, or it ended long ago` });
      emit(step, waitBegan(run, waitId, { token, commandId }));
      return { kind: "done" };
    }
    case undefined:
      return invalid("wait: what is waited for must be set");
  }
}

/** Records what a piece of a run's code came to. */
export function decideRecord(step: Step, run: RunRecord, commandId: number, key: JournalKey | undefined, { outcome }: RecordCommand): CommandAnswer {
  const invalid = (message: string) => refuse(step, run, commandId, { reason: "INVALID_FIELD", message });
  if (!key) return invalid("journal_key: a record needs one");
  const fault = keyFault(run, key);
  if (fault) return refuse(step, run, commandId, fault);
  if (outcome.case === "output") {
    const refused = outputFault(run, outcome.value);
    if (refused) return invalid(`record.output: ${refused}`);
    emit(step, entryRecorded(run, commandId, key, outcome.value, undefined));
  } else {
    emit(step, entryRecorded(run, commandId, key, undefined, boundFailure(outcome.value)));
  }
  return { kind: "done" };
}
