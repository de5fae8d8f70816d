import { decodeMessage } from "@runlane/platform";
import type {
  AwaitChangesRequest,
  AwaitChangesResponse,
  FindRunsRequest,
  FindRunsResponse,
} from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { type AttemptFailed, type Event, LogRecordSchema, type RunsCreated } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Run } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type History, runIdOf } from "@runlane/queue";
import type { SerializedError, TaskRunContext } from "@runlane/sdk";
import { serializedError } from "@runlane/sdk/testing-seams";
import { RunLists } from "./run-lists.js";
import type { AttemptOutcome, TaskCall, TestAttempt, TestLogLine } from "./run-records.js";
import { taskCall } from "./task-call.js";

interface JournalAttempt extends TestAttempt {
  endedAt?: Date;
  outcome: AttemptOutcome;
  error?: SerializedError;
  retryAt?: Date;
  readonly hooks: string[];
  readonly logs: TestLogLine[];
}

interface JournalRun {
  readonly id: string;
  readonly task: string;
  readonly attempts: JournalAttempt[];
  final: boolean;
}

/** What happened to each run, read from what the owner commits. Stands where a server's history does. */
export class RunJournal implements History {
  readonly calls: TaskCall[] = [];
  readonly #onCommit: () => void;
  readonly #lists: RunLists;
  readonly #byNumber = new Map<number, JournalRun>();
  readonly #byId = new Map<string, JournalRun>();
  #tag = "";
  #tail = 0;

  /** `read` gives a run as the owner shows it. */
  constructor(onCommit: () => void, read: (runId: string) => Promise<Run>) {
    this.#onCommit = onCommit;
    this.#lists = new RunLists({
      read,
      runIds: () => this.runIds,
    });
  }

  get tail(): number {
    return this.#tail;
  }

  /** Ids of all runs, in the order of their creation. */
  get runIds(): string[] {
    return [...this.#byId.keys()];
  }

  /** Whether the run has reached its final state. */
  isFinal(runId: string): boolean {
    return this.#run(runId).final;
  }

  /** The attempts of a run. @throws Error if there is no such run */
  attempts(runId: string): readonly TestAttempt[] {
    return this.#run(runId).attempts.map(({ hooks, logs, ...attempt }) => ({ ...attempt, hooks: [...hooks], logs: [...logs] }));
  }

  /** An attempt has logged a line. */
  log(ctx: TaskRunContext, line: TestLogLine): void {
    this.#attemptOf(ctx)?.logs.push(line);
  }

  /** An attempt has called a hook. */
  hook(ctx: TaskRunContext, kind: string): void {
    this.#attemptOf(ctx)?.hooks.push(kind);
  }

  begin(epoch: number): void {
    this.#tail = epoch;
  }

  feed(sequence: number, record: Uint8Array): void {
    this.#tail = sequence;
    this.#onCommit();
    // A copy: what it decodes to may be views of it, and the owner goes on with the bytes.
    const { record: entry } = decodeMessage(LogRecordSchema, record.slice());
    if (entry.case !== "batch") return;
    const now = new Date(Number(entry.value.nowMs));
    for (const { event } of entry.value.events) this.#take(event, now);
    this.#lists.changed();
  }

  find(request: FindRunsRequest): Promise<FindRunsResponse> {
    return this.#lists.find(request);
  }

  awaitChanges(request: AwaitChangesRequest): Promise<AwaitChangesResponse> {
    return this.#lists.awaitChanges(request);
  }

  /** Asked for runs that the owner has forgotten: it keeps 20,000, more than a test should have. */
  async read(): Promise<undefined> {}

  async secure(): Promise<number> {
    return this.#tail;
  }

  async close(): Promise<void> {
    this.#lists.changed();
  }

  #run(runId: string): JournalRun {
    const run = this.#byId.get(runId);
    if (!run) throw new Error(`the test platform has no run ${runId}`);
    return run;
  }

  #attemptOf({ run, attempt }: TaskRunContext): JournalAttempt | undefined {
    return this.#byId.get(run.id)?.attempts[attempt.number - 1];
  }

  #take(event: Event["event"], now: Date): void {
    switch (event.case) {
      case "environmentCreated":
        this.#tag = event.value.tag;
        return;
      case "runsCreated":
        return this.#create(event.value);
      case "runAssigned":
        this.#byNumber.get(Number(event.value.run))?.attempts.push({ number: event.value.attempt, startedAt: now, outcome: "running", hooks: [], logs: [] });
        return;
      case "runReturned":
        this.#byNumber.get(Number(event.value.run))?.attempts.pop();
        return;
      case "attemptSucceeded":
        this.#end(Number(event.value.run), now, "completed", true);
        return;
      case "attemptFailed":
        return this.#fail(event.value, now);
      case "runCanceled":
        this.#end(Number(event.value.run), now, "canceled", true);
        return;
      default: // says nothing of attempts
    }
  }

  #create({ firstNumber, runs, parent }: RunsCreated): void {
    let number = Number(firstNumber);
    for (const created of runs) {
      const run: JournalRun = { id: runIdOf({ tag: this.#tag }, number), task: created.taskId, attempts: [], final: false };
      this.#byNumber.set(number, run);
      this.#byId.set(run.id, run);
      const by = this.#byNumber.get(Number(parent));
      if (by) this.calls.push(taskCall(created, run.id, by));
      number += 1;
    }
  }

  #fail({ run, failure, retryAtMs }: AttemptFailed, now: Date): void {
    const attempt = this.#end(Number(run), now, "failed", retryAtMs === undefined);
    if (attempt && failure) attempt.error = serializedError(failure);
    if (attempt && retryAtMs !== undefined) attempt.retryAt = new Date(Number(retryAtMs));
  }

  #end(number: number, now: Date, outcome: AttemptOutcome, final: boolean): JournalAttempt | undefined {
    const run = this.#byNumber.get(number);
    if (!run) return undefined;
    run.final ||= final;
    const attempt = run.attempts.at(-1);
    if (attempt?.outcome !== "running") return undefined;
    attempt.outcome = outcome;
    attempt.endedAt = now;
    return attempt;
  }
}
