import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type Assignment, type CommandOutcome, type JournalEntry, ResultDisposition, type Resume } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { type Grounds, tokenKey } from "./grounds.js";
import { numberOfId } from "./id.js";
import { checkEnd, checkJournal } from "./journal.js";
import type { Model } from "./model.js";
import type { Observation } from "./observation.js";
import { isFinal, isWithWorker, type RunModel } from "./run-model.js";
import { wordOf } from "./triggers.js";
import { promise } from "./violation.js";

/** Checks what was said against what happened: to workers, and to those who wait for results. */
export class Messages {
  readonly #model: Model;
  /** Who wants the result of which run; a new owner has forgotten it. */
  readonly #wanted = new Map<number, Set<string>>();
  /** Answers to commands, by token and id: a repeat must get the same. */
  readonly #answers = new Map<string, string>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** The owner is gone, and with it what only it knew. */
  ownerLost(): void {
    this.#wanted.clear();
  }

  /** Checks the messages of an observation, whose events have been followed. */
  check(seen: Observation, grounds: Grounds): void {
    const said: { assignments: Map<number, Assignment>; resumes: Resume[]; outcomes: CommandOutcome[]; lost: Set<string>; cancels: Set<string> } = {
      assignments: new Map(),
      resumes: [],
      outcomes: [],
      lost: new Set(),
      cancels: new Set(),
    };
    let receipts = 0;
    const journals = new Map<string, JournalEntry[]>();
    for (const { message } of seen.frames) {
      for (const { token, entries } of message.journalParts) journals.set(tokenKey(token), [...(journals.get(tokenKey(token)) ?? []), ...entries]);
    }
    for (const { streamId, message } of seen.frames) {
      for (const assignment of message.assignments) {
        this.#assignment(streamId, assignment);
        const run = this.#model.run(numberOfId(assignment.runId));
        promise(assignment.resumed === run.resumed, () => `run ${run.number} is sent as ${assignment.resumed ? "one that goes on" : "a new attempt"}`);
        checkJournal(this.#model, run, assignment.journalLength, journals.get(tokenKey(assignment.token)) ?? []);
        said.assignments.set(numberOfId(assignment.runId), assignment);
      }
      said.resumes.push(...message.resumes);
      said.outcomes.push(...message.commandOutcomes);
      for (const token of message.lost) said.lost.add(tokenKey(token));
      for (const { token } of message.cancels) said.cancels.add(tokenKey(token));
      for (const { token, disposition } of message.receipts) {
        receipts += 1;
        const run = this.#model.tokens.get(tokenKey(token));
        const valid = run !== undefined && (grounds.results.has(run) || grounds.confirms.has(run));
        promise(valid || disposition === ResultDisposition.STALE, () => `a stale result of run ${run?.number} counts as recorded`);
      }
    }
    for (const { event } of seen.events) this.#follows(event, said);
    this.#answered(seen, said, receipts);
    this.#settled(grounds);
    for (const key of grounds.strange) promise(said.lost.has(key), () => "a worker is not told that it holds what is not its");
    this.#notices(seen);
  }

  #assignment(streamId: string, assignment: Assignment): void {
    const run = this.#model.run(numberOfId(assignment.runId));
    const session = this.#model.sessions.get(run.session ?? 0);
    promise(session?.connection?.streamId === streamId, () => `run ${run.number} is sent to a worker that it was not given to`);
    promise(
      run.place === "assigned" && assignment.attemptNumber === run.attempt,
      () => `attempt ${assignment.attemptNumber} of run ${run.number} (${run.place}) is sent`,
    );
    promise(
      assignment.taskId === run.taskId && assignment.queue === run.queue,
      () => `run ${run.number} is sent as ${assignment.taskId} of queue ${assignment.queue}`,
    );
    promise(assignment.maxAttempts === run.maxAttempts, () => `run ${run.number} is sent with ${assignment.maxAttempts} attempts, not ${run.maxAttempts}`);
    const machine = assignment.settings?.machine ?? "";
    promise(machine === run.machine, () => `run ${run.number} is sent with machine "${machine}", not "${run.machine}"`);
    const data = `${assignment.payload ? Buffer.from(assignment.payload.data).toString("hex") : ""}`;
    promise(run.data.split(" ")[0] === data, () => `run ${run.number} is sent with the data ${data}, not ${run.data}`);
    const key = tokenKey(assignment.token);
    promise(!this.#model.tokens.has(key), () => `run ${run.number} is sent with a token that was given out before`);
    this.#model.tokens.set(key, run);
    run.token = key;
    run.sequence = assignment.sequence;
  }

  #follows(event: Event["event"], said: { assignments: Map<number, Assignment>; resumes: readonly Resume[]; cancels: ReadonlySet<string> }): void {
    const model = this.#model;
    if (event.case === "runAssigned") {
      promise(said.assignments.has(Number(event.value.run)), () => `run ${event.value.run} is assigned, and nobody is told`);
    } else if (event.case === "runResumed") {
      const run = model.run(event.value.run);
      if (!model.sessions.get(run.session ?? 0)?.connection) return;
      for (const id of event.value.waitIds) this.#resume(run, id, said.resumes);
    } else if (event.case === "waitBegan") {
      const run = model.run(event.value.run);
      // What keys found had ended.
      if (run.waits.get(event.value.waitId)?.delivered) this.#resume(run, event.value.waitId, said.resumes);
    } else if (event.case === "waitEnded" || event.case === "tokenCompleted") {
      for (const run of model.runs.values()) {
        if (run.place !== "executing" && run.place !== "assigned") continue;
        if (!model.sessions.get(run.session ?? 0)?.connection || run.token === undefined) continue;
        const concerns = (id: number, token: number) =>
          event.case === "waitEnded" ? run.number === Number(event.value.run) && id === event.value.waitId : token > 0 && token === Number(event.value.number);
        for (const [id, { token, delivered }] of run.waits) if (delivered && concerns(id, token)) this.#resume(run, id, said.resumes);
      }
    } else if (event.case === "runCanceled") {
      const run = model.run(event.value.run);
      const connected = model.sessions.get(run.session ?? 0)?.connection !== undefined;
      promise(!connected || said.cancels.has(run.token ?? ""), () => `run ${run.number} is cancelled, and its worker is not told`);
    }
  }

  #resume(run: RunModel, id: number, resumes: readonly Resume[]): void {
    const heard = resumes.filter(({ token, waitId }) => waitId === id && tokenKey(token) === run.token);
    promise(heard.length > 0, () => `run ${run.number} hears nothing of the end of wait ${id}`);
    const results = heard.flatMap((resume) => resume.results);
    checkEnd(this.#model, run.waits.get(id)?.token ?? 0, heard[0]?.end, `wait ${id} of run ${run.number}`);
    const told = results.map(({ runId, state }) => `${numberOfId(runId)}:${state}`).join();
    const ended = (run.waits.get(id)?.children ?? []).map((child) => `${child}:${this.#model.run(child).final}`).join();
    promise(told === ended, () => `run ${run.number} hears in wait ${id} of ${told}, not of ${ended}`);
  }

  #answered({ cause }: Observation, said: { outcomes: readonly CommandOutcome[] }, receipts: number): void {
    if (cause.kind !== "frame") return;
    const { results, cancelConfirmed, commands } = cause.request;
    promise(receipts === results.length + cancelConfirmed.length, () => `${receipts} receipts for ${results.length + cancelConfirmed.length} reports`);
    promise(said.outcomes.length === commands.length, () => `${said.outcomes.length} answers to ${commands.length} commands`);
    for (const { token, commandId, outcomes, error, batch } of said.outcomes) {
      const refusedAs = error?.message ?? "";
      const text = `${outcomes.map(({ outcome }) => (outcome.case === "runId" ? outcome.value : outcome.value?.message)).join()} ${refusedAs}`;
      const key = `${tokenKey(token)} ${commandId}`;
      const before = this.#answers.get(key);
      const run = this.#model.tokens.get(tokenKey(token));
      const current = run !== undefined && run.token === tokenKey(token) && !isFinal(run);
      promise(
        before === undefined || before === text || !current,
        () => `command ${commandId} of run ${run?.number} is answered with ${text}, and was with ${before}`,
      );
      if (!current) continue;
      this.#answers.set(key, text);
      if (error) continue;
      const told = outcomes.map(({ outcome, cached }) =>
        outcome.case === "runId" ? wordOf(numberOfId(outcome.value), cached) : (outcome.value?.message.split(":")[0] ?? ""),
      );
      const due = this.#model.outcomes.get(key);
      const found = batch?.cached === true && outcomes.length === 0;
      promise(
        due === undefined || found || due === told.join(),
        () => `command ${commandId} of run ${run.number} came to ${due}, and is answered with ${told}`,
      );
      const asked = commands.find((command) => command.commandId === commandId && tokenKey(command.token) === tokenKey(token))?.command;
      const sealed = asked?.case === "trigger" && asked.value.batch?.seal === true && !found && batch && this.#model.batches.get(numberOfId(batch.batchId));
      promise((sealed || undefined)?.state !== "open", () => `the last part of batch ${batch?.batchId} came, and it is open`);
    }
  }

  /** What a worker said was heard: its results ended their attempts, what it does not hold was given up. */
  #settled(grounds: Grounds): void {
    for (const [run, { token }] of grounds.results) promise(run.token !== tokenKey(token), () => `run ${run.number} (${run.place}) goes on after its result`);
    for (const run of grounds.confirms) promise(!isFinal(run) || run.place === "over", () => `run ${run.number} keeps its slot after its code has ended`);
    for (const run of grounds.accepts) promise(run.place !== "assigned", () => `run ${run.number} counts as not accepted, and its worker has it`);
    for (const run of grounds.returns) promise(run.place !== "assigned", () => `run ${run.number} stays with a worker that declined it`);
    for (const run of grounds.losses) {
      promise(!isWithWorker.has(run.place), () => `run ${run.number} stays ${run.place} with a worker that does not hold it`);
    }
    const unheard = [...grounds.ending].find((session) => this.#model.sessions.has(session.number));
    promise(unheard === undefined, () => `session ${unheard?.number} goes on, and its worker is gone`);
  }

  #notices({ cause, events, notices }: Observation): void {
    const told = new Map<string, RunState>();
    for (const { subscriber, notice } of notices) for (const { runId, state } of notice.results) told.set(`${numberOfId(runId)} ${subscriber}`, state);
    const ended = new Set<number>();
    for (const { event } of events) if (event.case && "run" in event.value && isFinal(this.#model.run(event.value.run))) ended.add(Number(event.value.run));
    if (cause.kind === "subscribe") {
      const subscribers = this.#wanted.get(cause.run);
      if (subscribers) subscribers.add(cause.subscriber);
      else this.#wanted.set(cause.run, new Set([cause.subscriber]));
      if (isFinal(this.#model.run(cause.run))) ended.add(cause.run);
    }
    for (const number of ended) {
      const { final } = this.#model.run(number);
      for (const subscriber of this.#wanted.get(number) ?? []) {
        const state = told.get(`${number} ${subscriber}`);
        promise(
          state === final,
          () => `${subscriber} hears ${state === undefined ? "nothing" : RunState[state]} of run ${number}, which ended as ${RunState[final as RunState]}`,
        );
      }
      this.#wanted.delete(number);
    }
  }
}
