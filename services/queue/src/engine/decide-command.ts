import type { BatchPart, TriggerItem } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { AttemptCommand, ContinueWaitingCommand } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { outcomesOf } from "./command-outcome.js";
import { decideBatchPart } from "./decide-batch.js";
import { decideTrigger, forEachOutcome, type TriggerRequest } from "./decide-trigger.js";
import { decideUpdate } from "./decide-update.js";
import { decideRecord, decideWait } from "./decide-wait.js";
import { commandAnswered, commandJournalled, waitBegan, waitContinued } from "./events.js";
import { keyFault } from "./journal.js";
import { phases } from "./phase.js";
import { refuseCommand as refuse } from "./refuse-command.js";
import type { CommandAnswer, RefusalData, RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";
import type { Connection } from "./volatile.js";

const stale: RefusalData = { reason: "STALE_ATTEMPT", message: "the attempt is over, or belongs to another worker; end its code and report nothing" };

/** Items of one command. */
const itemsPerCommand = 500;

/** Does what running code asks, once: a repeat gets the first answer. `run` is undefined if the token is not the worker's. */
export function decideCommand(step: Step, connection: Connection, run: RunRecord | undefined, command: AttemptCommand): void {
  // A cancelled run may say how far it came until its code has ended.
  const heard = run && (!phases[run.phase].final || (command.command.case === "updateRun" && phases[run.phase].session));
  if (!heard) return answer(step, connection, run, command, { kind: "refused", refusal: stale });
  const before = run.commands?.get(command.commandId);
  answer(step, connection, run, command, before ?? decide(step, run, command));
}

/** Does it, and notes it in the journal. */
function decide(step: Step, run: RunRecord, asked: AttemptCommand): CommandAnswer {
  const { commandId, command, journalKey } = asked;
  // A record is its own entry, and what neither creates nor waits is none.
  if (!journalKey || (command.case !== "trigger" && command.case !== "triggerAndWait" && command.case !== "wait")) return act(step, run, asked);
  const fault = keyFault(run, journalKey);
  if (fault) return refuse(step, run, commandId, fault);
  const given = act(step, run, asked);
  const waitId = command.case === "trigger" || given.kind === "refused" || !run.waits?.has(command.value.waitId) ? 0 : command.value.waitId;
  emit(step, commandJournalled(run, commandId, journalKey, waitId));
  return given;
}

function act(step: Step, run: RunRecord, { commandId, command, journalKey }: AttemptCommand): CommandAnswer {
  switch (command.case) {
    case "trigger":
      return trigger(step, run, commandId, command.value);
    case "triggerAndWait": {
      const { waitId } = command.value;
      if (run.waits?.has(waitId))
        return refuse(step, run, commandId, { reason: "INVALID_FIELD", message: `wait_id ${waitId} names an earlier wait of this attempt; count on` });
      const given = trigger(step, run, commandId, command.value, true);
      if (given.kind !== "created") return given;
      const awaited: number[] = [];
      forEachOutcome(given.created, (_, outcome) => {
        if (typeof outcome === "number") awaited.push(outcome);
      });
      if (awaited.length > 0) emit(step, waitBegan(run, waitId, { children: awaited }));
      return given;
    }
    case "continueWaiting":
      return continueWaiting(step, run, commandId, command.value);
    case "updateRun":
      return decideUpdate(step, run, commandId, command.value);
    case "wait":
      return decideWait(step, run, commandId, command.value);
    case "record":
      return decideRecord(step, run, commandId, journalKey, command.value);
    case undefined:
      return refuse(step, run, commandId, { reason: "UNIMPLEMENTED", message: "the server does not know this kind of command; it is older than the worker" });
  }
}

/** What both kinds of triggers bring. */
interface Triggers {
  readonly items: readonly TriggerItem[];
  readonly batch?: BatchPart;
}

function trigger(step: Step, run: RunRecord, commandId: number, { items, batch }: Triggers, waits = false): CommandAnswer {
  // A part of a batch may do no more than seal it.
  if ((items.length === 0 && !batch) || items.length > itemsPerCommand) {
    return refuse(step, run, commandId, {
      reason: "INVALID_FIELD",
      message: `items: a command has 1 to ${itemsPerCommand} items, this one has ${items.length}`,
    });
  }
  const request: TriggerRequest = { environment: run.environment, requestId: "", items, parent: { run, commandId }, version: waits ? run.version : "", waits };
  if (!batch) return { kind: "created", created: decideTrigger(step, request) };
  const answer = decideBatchPart(step, request, batch);
  if (answer.kind === "refused") return refuse(step, run, commandId, answer.refusal);
  return answer;
}

function continueWaiting(step: Step, run: RunRecord, commandId: number, { openWaits }: ContinueWaitingCommand): CommandAnswer {
  // A wait that ended meanwhile has its Resume under way: the code is about to go on.
  const open = openWaits.length > 0 && openWaits.every((id) => (run.waits?.get(id)?.pending ?? 0) > 0);
  if (!open) return refuse(step, run, commandId, { reason: "NO_OPEN_WAIT", message: "no wait is open, or one has ended and its result is on its way" });
  if (run.phase === "executing") emit(step, waitContinued(run, commandId));
  else emit(step, commandAnswered(run, commandId, undefined));
  return { kind: "done" };
}

function answer(step: Step, connection: Connection, run: RunRecord | undefined, { token, commandId }: AttemptCommand, given: CommandAnswer): void {
  const frame = step.outbox.frame(connection, given.kind === "created" ? 40 + 30 * given.created.count : 120);
  const said = run ? outcomesOf(step, run.environment, given) : { outcomes: [], ...(given.kind === "refused" ? { error: step.statusOf(given.refusal) } : {}) };
  frame.commandOutcomes.push({ $typeName: "runlane.v1.CommandOutcome", token, commandId, ...said });
}
