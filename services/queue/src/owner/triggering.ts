import { refusal } from "@runlane/platform";
import type { TriggerRunsRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import type { BatchOutcome, Run, TriggerOutcome } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { Batch, RescheduleRunRequest } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { decideBatchPart } from "../engine/decide-batch.js";
import { decideKeyEnd, decideReschedule } from "../engine/decide-reschedule.js";
import { decideTrigger, forEachOutcome } from "../engine/decide-trigger.js";
import type { Durable } from "../engine/durable.js";
import type { Environment } from "../engine/environment.js";
import { batchNumberOf, runIdOf } from "../engine/run-id.js";
import type { CommandAnswer, RunRecord } from "../engine/run-record.js";
import { runMessageOf } from "../engine/view.js";
import { batchMessageOf, batchOutcomeOf } from "../engine/view-batch.js";
import type { Volatile } from "../engine/volatile.js";
import type { GroupCommit } from "./group-commit.js";
import { want } from "./interest.js";
import { itemBytes } from "./item-bytes.js";
import type { PastRuns } from "./past-runs.js";
import { protocolStatus, refusalFrom } from "./protocol-status.js";

/** What a trigger came to. */
export interface Triggered {
  /** One outcome for each item, in their order. */
  readonly outcomes: TriggerOutcome[];
  /** What became of the batch; undefined if the request had none. */
  readonly batch: BatchOutcome | undefined;
}

/** What triggering stands on: its partition, as far as it needs it. */
export interface TriggeringOptions {
  readonly commit: GroupCommit;
  readonly durable: Durable;
  readonly volatile: Volatile;
  readonly past: PastRuns;
  /** @throws ConnectError if no new work is taken */
  readonly admit: () => void;
  /** @throws ConnectError if the partition is another's */
  readonly mustOwn: () => void;
  /** @throws ConnectError if there is none of this name */
  readonly environment: (name: string) => Environment;
  /** @throws ConnectError if there is no run with this id */
  readonly find: (environment: Environment, runId: string) => { readonly number: number; readonly live: RunRecord | undefined };
  readonly read: (environment: string, runId: string) => Promise<Run>;
}

/** Creates the runs of a partition, and changes what was asked when they were created. */
export class Triggering {
  readonly #options: TriggeringOptions;

  constructor(options: TriggeringOptions) {
    this.#options = options;
  }

  /** Creates runs; the subscriber hears of the results of those that are awaited. */
  async trigger(request: TriggerRunsRequest): Promise<Triggered> {
    this.#options.admit();
    const { requestId, items, subscriber, batch: part, replayOfRunId } = request;
    const environment = this.#options.environment(request.environment);
    const replayOf = replayOfRunId === "" ? 0 : this.#options.find(environment, replayOfRunId).number;
    const outcomes: TriggerOutcome[] = [];
    const past: number[] = [];
    const answer = this.#options.commit.decide(itemBytes(items), (step) => {
      const asked = { environment, requestId, items, replayOf };
      const given: CommandAnswer = part ? decideBatchPart(step, asked, part) : { kind: "created", created: decideTrigger(step, asked) };
      if (given.kind !== "created") return given;
      const wanted = request.awaitResults.length > 0 ? new Set(request.awaitResults) : undefined;
      forEachOutcome(given.created, (index, outcome, cached) => {
        if (typeof outcome !== "number") {
          outcomes.push({ $typeName: "runlane.v1.TriggerOutcome", outcome: { case: "error", value: protocolStatus(outcome) }, cached });
          return;
        }
        outcomes.push({ $typeName: "runlane.v1.TriggerOutcome", outcome: { case: "runId", value: runIdOf(environment, outcome) }, cached });
        if (!wanted?.has(index)) return;
        if (this.#options.durable.runs.has(outcome)) want(step, environment, subscriber, outcome);
        else past.push(outcome);
      });
      return given;
    });
    await this.#options.commit.settled();
    if (answer.kind === "refused") throw refusalFrom(answer.refusal);
    // Behind the outcomes, which its caller must have first.
    if (past.length > 0) void this.#options.past.tell(environment, subscriber, past);
    return { outcomes, batch: answer.kind === "created" ? batchOutcomeOf(environment, answer.created) : undefined };
  }

  /** Gives a delayed run another time. */
  async move(environmentName: string, request: RescheduleRunRequest): Promise<Run> {
    this.#options.admit();
    const { live: run } = this.#options.find(this.#options.environment(environmentName), request.runId);
    if (!run) {
      await this.#options.read(environmentName, request.runId);
      throw refusal("RUN_NOT_DELAYED", `run ${request.runId} has ended, and only a DELAYED one has a time that may be changed`);
    }
    const decided = this.#options.commit.decide(64, (step) => decideReschedule(step, run, request) ?? runMessageOf(this.#options.volatile, run, step.now));
    await this.#options.commit.settled();
    if ("reason" in decided) throw refusalFrom(decided);
    return decided;
  }

  /** Ends an idempotency key. */
  async endKey(environmentName: string, taskId: string, key: string): Promise<void> {
    this.#options.admit();
    const environment = this.#options.environment(environmentName);
    const fault = this.#options.commit.decide(64, (step) => decideKeyEnd(step, environment, taskId, key));
    await this.#options.commit.settled();
    if (fault) throw refusalFrom(fault);
  }

  /** Reads a batch. */
  async batch(environmentName: string, batchId: string): Promise<Batch> {
    this.#options.mustOwn();
    const environment = this.#options.environment(environmentName);
    const batch = this.#options.durable.batches.byNumber.get(batchNumberOf(environment, batchId) ?? 0);
    const message = batch?.environment === environment ? batchMessageOf(batch) : undefined;
    await this.#options.commit.settled();
    if (!message)
      throw refusal("BATCH_NOT_FOUND", `there is no batch ${batchId}, or it ended more than seven days ago`, { resource: { type: "batch", name: batchId } });
    return message;
  }
}
