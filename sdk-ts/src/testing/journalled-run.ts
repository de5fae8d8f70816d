import { create, fromBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { RunnerRequestSchema } from "#gen/runlane/internal/v1/runner_pb.js";
import type { Payload } from "#gen/runlane/v1/payload_pb.js";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import {
  AssignmentSchema,
  type AttemptCommand,
  type AttemptResult,
  AttemptResultSchema,
  type CommandOutcome,
  CommandOutcomeSchema,
  type JournalEntry,
  JournalEntrySchema,
  JournalKind,
  ResumeSchema,
} from "#gen/runlane/v1/worker_service_pb.js";
import { payloadOf, valueOfPayload } from "../payload.js";
import type { RegisteredTask } from "../runtime/task-registry.js";
import { readRunnerFrame } from "../worker/passing-frames.js";
import { Runner } from "../worker/runner.js";
import { refusalStatus } from "./fake-server.js";

/**
 * A run as a server and a worker see it, in one process and without either: a runner executes its attempts, and what a server would do with its commands is done here. The worker may be lost
 * and the run go on, as often as a test likes.
 */
export class JournalledRun {
  /** The journal of the present attempt. */
  entries: JournalEntry[] = [];
  /** All commands, of all attempts, in their order. */
  readonly commands: AttemptCommand[] = [];
  /** Tokens that exist. */
  readonly tokens = new Set<string>(["waitpoint_1"]);
  /** Tokens of the attempts that left when they were asked to. */
  evicted = 0;
  result: AttemptResult["outcome"] | undefined;
  readonly #task: RegisteredTask;
  #attempt = 0;
  #life = 0;
  #settled = 0;
  #runs = 0;
  #runner: Runner | undefined;
  #outcomes: CommandOutcome[] = [];

  constructor(run: RegisteredTask["run"], more: Partial<RegisteredTask> = {}) {
    this.#task = { id: "task", run, ...more };
  }

  get token(): Uint8Array {
    return Buffer.from(`token-${String(this.#life).padStart(6, "0")}`);
  }

  /** The waits that are open. */
  get openWaits(): JournalEntry[] {
    return this.entries.filter(({ waitId, settled }) => waitId > 0 && settled === 0);
  }

  /** Starts the next attempt, with the steps of those before. */
  start(payload?: unknown): void {
    this.#attempt += 1;
    this.entries = this.entries.filter(({ key, failure }) => key?.kind === JournalKind.STEP && !failure);
    for (const [index, entry] of this.entries.entries()) Object.assign(entry, { commandId: index + 1, settled: index + 1, earlierAttempt: true });
    this.#settled = this.entries.length;
    this.#assign(payload, false);
  }

  /** The worker is lost: nothing that its code says is heard any more. */
  lose(): void {
    this.#runner = undefined;
    this.#life += 1;
  }

  /** The run goes on, on another worker. */
  goOn(payload?: unknown): void {
    this.lose();
    this.#assign(payload, true);
    for (const entry of this.entries) entry.unseen = false;
  }

  /** Ends the wait of an entry: with runs, by their outputs, or with what a token was completed with. */
  end(entry: JournalEntry, how: { outputs?: unknown[]; output?: unknown; timedOut?: boolean } = {}): void {
    const outputs = how.outputs ?? [];
    const runIds = entry.outcomes.flatMap(({ outcome }) => (outcome.case === "runId" ? outcome.value : []));
    Object.assign(
      entry,
      create(JournalEntrySchema, {
        ...entry,
        settled: ++this.#settled,
        results: runIds.map((runId, index) => ({ runId, taskId: "child", state: RunState.COMPLETED, output: payloadOf(outputs[index], "output") })),
        end: runIds.length > 0 ? undefined : { output: payloadOf(how.output, "output"), timedOut: how.timedOut ?? false },
        unseen: this.#runner === undefined,
      } as object),
    );
    const resume = create(ResumeSchema, { token: this.token, waitId: entry.waitId, results: entry.results, end: entry.end } as object);
    this.#tell({ resumes: [resume] });
  }

  /** Asks the attempt to leave. */
  evict(): void {
    this.#tell({ evictions: [this.token] });
  }

  cancel(): void {
    this.#tell({ aborts: [{ token: this.token, reason: "run cancelled" }] });
  }

  /** Waits until something holds, in turns of the event loop. */
  async until<T>(look: () => T | undefined | false): Promise<T> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw new Error(`waited in vain: ${look.toString()}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** The entry whose wait is open, when there is one. */
  async waiting(index = 0): Promise<JournalEntry> {
    return await this.until(() => this.openWaits[index]);
  }

  /** The output of the attempt, when it has one. */
  async output(): Promise<unknown> {
    const result = await this.until(() => this.result);
    if (result.case === "failure") throw new Error(`the attempt has failed: ${result.value.failure?.code} ${result.value.failure?.message}`);
    return valueOfPayload(result.value as Payload);
  }

  #assign(payload: unknown, resumed: boolean): void {
    this.result = undefined;
    this.#life += 1;
    const life = this.#life;
    const runner: Runner = new Runner({
      build: { filePaths: new Map() },
      quietFailures: true,
      longestSleepMs: 50,
      send: (frame) => {
        if (life === this.#life) this.#hear(frame);
      },
    });
    this.#runner = runner;
    runner.loaded({ tasks: new Map([[this.#task.id, this.#task]]), failures: [] });
    const { token } = this;
    const assignment = create(AssignmentSchema, {
      token,
      runId: "run_1",
      taskId: "task",
      attemptNumber: this.#attempt,
      maxAttempts: 3,
      payload: payloadOf(payload, "payload"),
      journalLength: this.entries.length,
      resumed,
    } as object);
    const journalParts = this.entries.length > 0 ? [{ token, entries: this.entries.map((entry) => create(JournalEntrySchema, { ...entry } as object)) }] : [];
    this.#tell({ assignments: [assignment], journalParts });
  }

  #tell(frame: object): void {
    this.#runner?.receive(create(RunnerRequestSchema, frame));
  }

  #hear(frame: Uint8Array): void {
    const { results, rest } = readRunnerFrame(frame);
    for (const command of rest?.commands ?? []) this.#take(command);
    this.evicted += rest?.evicted.length ?? 0;
    for (const { encoded } of results) this.result = fromBinary(AttemptResultSchema, encoded).outcome;
    if (rest && rest.ended.length > 0) this.result = { case: undefined };
    const outcomes = this.#outcomes.splice(0);
    if (outcomes.length > 0) setImmediate(() => this.#tell({ commandOutcomes: outcomes }));
  }

  #take({ commandId, command, journalKey }: AttemptCommand): void {
    this.commands.push({ $typeName: "runlane.v1.AttemptCommand", token: this.token, commandId, command, ...(journalKey ? { journalKey } : {}) });
    const answer = create(CommandOutcomeSchema, { token: this.token, commandId });
    const waits = command.case === "triggerAndWait" || command.case === "wait";
    if (command.case === "trigger" || command.case === "triggerAndWait") {
      for (const _ of command.value.items) {
        this.#runs += 1;
        answer.outcomes.push({ $typeName: "runlane.v1.TriggerOutcome", outcome: { case: "runId", value: `run_c${this.#runs}` }, cached: false });
      }
    }
    if (command.case === "wait" && command.value.condition.case === "tokenId" && !this.tokens.has(command.value.condition.value)) {
      answer.error = refusalStatus(Code.NotFound, "there is no such token", "TOKEN_NOT_FOUND");
    }
    const recorded = command.case === "record" ? command.value.outcome : undefined;
    if (journalKey) {
      this.entries.push(
        create(JournalEntrySchema, {
          key: journalKey,
          commandId,
          waitId: waits ? command.value.waitId : 0,
          settled: waits && !answer.error ? 0 : ++this.#settled,
          outcomes: answer.outcomes,
          error: answer.error,
          output: recorded?.case === "output" ? recorded.value : undefined,
          failure: recorded?.case === "failure" ? recorded.value : undefined,
        } as object),
      );
    }
    this.#outcomes.push(answer);
  }
}
