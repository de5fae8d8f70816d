import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "#gen/google/rpc/status_pb.js";
import type { BatchOutcome, BatchPart, RunResult, TriggerItem, TriggerOutcome } from "#gen/runlane/v1/run_pb.js";
import type { AttemptCommand, CommandOutcome, Resume, UpdateRunCommand } from "#gen/runlane/v1/worker_service_pb.js";
import { errorOfStatus } from "../client/grpc-error.js";
import { maxPayloadBytes } from "../payload.js";
import { triggerItemLength } from "./outbound.js";

/** Code UNAVAILABLE of gRPC. */
const unavailable = 14;
/** Code RESOURCE_EXHAUSTED of gRPC. */
const resourceExhausted = 8;

/** Items of a command. */
export const maxItems = 500;
/** Bytes of a command's items. A frame has at most 512 KiB; the rest is for what stands around them. */
const maxItemsLength = 384 * 1_024;
/** How long to wait before a command that was answered UNAVAILABLE is sent again, in milliseconds; the upper half is random. */
const retryDelayMs = 400;

/** What the triggers of one wait came to; see RunRuntime.triggerAndWait. */
export interface WaitedRuns {
  outcomes: TriggerOutcome[];
  results: (RunResult | undefined)[];
}

/** What one trigger came to. */
interface Answer {
  outcome: TriggerOutcome;
  result: RunResult | undefined;
}

/** A command without what only its attempt knows: token and number. */
type Command = Exclude<AttemptCommand["command"], { case: undefined }>;

interface UnansweredCommand {
  readonly command: Command;
  readonly resolve: (outcome: CommandOutcome) => void;
  readonly reject: (reason: unknown) => void;
}

/** A wait ends when both have come: the outcomes of its triggers, and the last of its results. After a broken stream either may come first. */
interface OpenWait {
  outcomes: TriggerOutcome[] | undefined;
  readonly results: Map<string, RunResult>;
  resumed: boolean;
  readonly resolve: (answers: Answer[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** The commands and waits of one attempt. `send` passes a command on; the supervisor keeps it until its answer comes. The clock, in milliseconds, measures waits. */
export class AttemptCommands {
  readonly #send: (commandId: number, command: Command) => void;
  readonly #clock: { now(): number };
  #lastCommandId = 0;
  #lastWaitId = 0;
  #unanswered = new Map<number, UnansweredCommand>();
  #waits = new Map<number, OpenWait>();
  #continueScheduled = false;
  /** Time in which at least one wait was open, in milliseconds, until the last one ended. */
  #waitedMs = 0;
  /** When the first of the open waits began. */
  #waitingSince = 0;
  #aborted: { readonly reason: unknown; readonly updatesGoOn: boolean } | undefined;

  constructor(send: (commandId: number, command: Command) => void, clock: { now(): number }) {
    this.#send = send;
    this.#clock = clock;
  }

  /** See RunRuntime.trigger. */
  async trigger(items: TriggerItem[]): Promise<TriggerOutcome[]> {
    const answers = await inCommands(items, async (part) => {
      const outcomes = await this.#outcomes({ case: "trigger", value: { $typeName: "runlane.v1.TriggerCommand", items: part } }, part.length);
      return outcomes.map((outcome) => ({ outcome, result: undefined }));
    });
    return answers.map((answer) => answer.outcome);
  }

  /** See RunRuntime.triggerBatch. */
  async triggerBatch(items: TriggerItem[], batch: BatchPart): Promise<{ outcomes: TriggerOutcome[]; batch: BatchOutcome | undefined }> {
    const answer = await this.#ask({ case: "trigger", value: { $typeName: "runlane.v1.TriggerCommand", items, batch } });
    if (answer.error) throw errorOfStatus(answer.error);
    return { outcomes: answer.outcomes, batch: answer.batch };
  }

  /** See RunRuntime.triggerAndWait. */
  async triggerAndWait(items: TriggerItem[]): Promise<WaitedRuns> {
    const answers = await inCommands(items, (part) => this.#wait(part));
    return { outcomes: answers.map((answer) => answer.outcome), results: answers.map((answer) => answer.result) };
  }

  /** Changes tags and metadata; resolves with the server's refusal, if there is one. */
  async update(value: UpdateRunCommand): Promise<Status | undefined> {
    return (await this.#ask({ case: "updateRun", value })).error;
  }

  /** How long the attempt has waited for other runs so far, in milliseconds. */
  get waitedMs(): number {
    return this.#waits.size === 0 ? this.#waitedMs : this.#waitedMs + this.#clock.now() - this.#waitingSince;
  }

  /** Takes the answer to a command. */
  answer(outcome: CommandOutcome): void {
    const asked = this.#unanswered.get(outcome.commandId);
    if (asked === undefined) return;
    const { error } = outcome;
    if (error?.code === unavailable) {
      setTimeout(() => this.#resend(outcome.commandId), retryDelayMs * (0.5 + Math.random() / 2));
      return;
    }
    this.#unanswered.delete(outcome.commandId);
    asked.resolve(outcome);
  }

  /** Takes results of a wait. Results are told apart by their run, so it does no harm if some come twice. */
  resume(resume: Resume): void {
    const wait = this.#waits.get(resume.waitId);
    if (wait === undefined) return;
    for (const result of resume.results) wait.results.set(result.runId, result);
    if (resume.more) return;
    wait.resumed = true;
    this.#endWait(resume.waitId, wait);
    if (this.#continueScheduled) return;
    this.#continueScheduled = true;
    // One turn later the code has seen the result. If it still waits for others, the run gives its slot back.
    setImmediate(() => {
      this.#continueScheduled = false;
      if (this.#waits.size === 0) return;
      // Refused if one of them has ended meanwhile: then its resume is on its way.
      this.#ask({ case: "continueWaiting", value: { $typeName: "runlane.v1.ContinueWaitingCommand", openWaits: [...this.#waits.keys()] } }).catch(() => {});
    });
  }

  /** Rejects whatever the code waits for, now and later; but for changes of tags and metadata, if these go on. */
  abort(reason: unknown, updatesGoOn = false): void {
    this.#aborted = { reason, updatesGoOn };
    for (const [id, { command, reject }] of this.#unanswered) {
      if (updatesGoOn && command.case === "updateRun") continue;
      this.#unanswered.delete(id);
      reject(reason);
    }
    for (const { reject } of this.#waits.values()) reject(reason);
    this.#waits.clear();
  }

  /** What a command's triggers came to: all of them to its refusal, if it was refused. */
  async #outcomes(command: Command, itemCount: number): Promise<TriggerOutcome[]> {
    const { error, outcomes } = await this.#ask(command);
    return error ? Array.from({ length: itemCount }, () => failed(error)) : outcomes;
  }

  #ask(command: Command): Promise<CommandOutcome> {
    if (this.#aborted && !(this.#aborted.updatesGoOn && command.case === "updateRun")) return Promise.reject(this.#aborted.reason);
    return new Promise((resolve, reject) => {
      const id = ++this.#lastCommandId;
      this.#unanswered.set(id, { command, resolve, reject });
      this.#send(id, command);
    });
  }

  #wait(items: TriggerItem[]): Promise<Answer[]> {
    if (this.#aborted) return Promise.reject(this.#aborted.reason);
    return new Promise((resolve, reject) => {
      const waitId = ++this.#lastWaitId;
      const wait: OpenWait = { outcomes: undefined, results: new Map(), resumed: false, resolve, reject };
      if (this.#waits.size === 0) this.#waitingSince = this.#clock.now();
      this.#waits.set(waitId, wait);
      this.#outcomes({ case: "triggerAndWait", value: { $typeName: "runlane.v1.TriggerAndWaitCommand", waitId, items } }, items.length).then((outcomes) => {
        wait.outcomes = outcomes;
        this.#endWait(waitId, wait);
      }, reject);
    });
  }

  #endWait(waitId: number, wait: OpenWait): void {
    if (wait.outcomes === undefined) return;
    // Nothing waits for items that could not be triggered; if none could, no results will come.
    if (!wait.resumed && wait.outcomes.some(({ outcome }) => outcome.case === "runId")) return;
    this.#waits.delete(waitId);
    if (this.#waits.size === 0) this.#waitedMs += this.#clock.now() - this.#waitingSince;
    wait.resolve(wait.outcomes.map((outcome) => ({ outcome, result: outcome.outcome.case === "runId" ? wait.results.get(outcome.outcome.value) : undefined })));
  }

  #resend(commandId: number): void {
    const asked = this.#unanswered.get(commandId);
    if (asked) this.#send(commandId, asked.command);
  }
}

/**
 * Splits items into as many commands as their number and size ask for, and puts the answers together again. An item that no frame may carry is answered here.
 */
async function inCommands(items: TriggerItem[], ask: (part: TriggerItem[]) => Promise<Answer[]>): Promise<Answer[]> {
  const answers: Answer[] = new Array(items.length);
  const parts: number[][] = [];
  let part: number[] = [];
  let length = 0;
  for (const [index, item] of items.entries()) {
    const itemLength = triggerItemLength(item);
    if (itemLength > maxItemsLength || (item.payload?.data.length ?? 0) > maxPayloadBytes) {
      answers[index] = { outcome: failed(tooLarge(item)), result: undefined };
      continue;
    }
    if (part.length === maxItems || (part.length > 0 && length + itemLength > maxItemsLength)) {
      parts.push(part);
      part = [];
      length = 0;
    }
    part.push(index);
    length += itemLength;
  }
  if (part.length > 0) parts.push(part);
  await Promise.all(
    parts.map(async (indexes) => {
      const answered = await ask(indexes.map((index) => items[index]!));
      for (const [at, index] of indexes.entries()) answers[index] = answered[at]!;
    }),
  );
  return answers;
}

function failed(error: Status): TriggerOutcome {
  return { $typeName: "runlane.v1.TriggerOutcome", outcome: { case: "error", value: error }, cached: false };
}

function tooLarge(item: TriggerItem): Status {
  const info = create(ErrorInfoSchema, { reason: "PAYLOAD_TOO_LARGE", domain: "runlane.dev", metadata: { limit: String(maxPayloadBytes) } });
  const message = `the payload for task "${item.taskId}" has ${item.payload?.data.length} bytes, and at most ${maxPayloadBytes} are allowed`;
  return create(StatusSchema, { code: resourceExhausted, message, details: [anyPack(ErrorInfoSchema, info)] });
}
