import type { AttemptCommand, AttemptResult, HeldAttempt } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Model } from "./model.js";
import type { Cause } from "./observation.js";
import type { RunModel } from "./run-model.js";
import { isWithWorker } from "./run-model.js";
import type { SessionModel } from "./worker-model.js";

/** A token as a key of maps. */
export function tokenKey(token: Uint8Array): string {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString("latin1");
}

/** What a cause gives the engine the right to do: what the tokens in a frame that are valid speak of, and which sessions may end. */
export class Grounds {
  /** The session that speaks. */
  readonly speaker: SessionModel | undefined;
  readonly accepts = new Set<RunModel>();
  readonly returns = new Set<RunModel>();
  readonly confirms = new Set<RunModel>();
  readonly results = new Map<RunModel, AttemptResult>();
  readonly commands = new Map<RunModel, AttemptCommand[]>();
  /** What a list of the held attempts leaves out. */
  readonly losses = new Set<RunModel>();
  readonly ending = new Set<SessionModel>();
  /** Delayed runs that have another time, because they took a trigger in, and the data that they had before. */
  readonly moved = new Map<RunModel, string>();
  /** Tokens that were listed or accepted and are not the speaker's. */
  readonly strange: string[] = [];

  constructor(model: Model, workers: ReadonlyMap<string, SessionModel>, cause: Cause, monotonic: number, leaseMs: number) {
    if (cause.kind === "hello") {
      const { hello } = cause;
      const before = workers.get(hello.workerId);
      if (before && before.incarnation > hello.incarnation) return;
      if (before && before.incarnation < hello.incarnation) this.ending.add(before);
      else this.speaker = before;
      this.#list(model, hello.held, () => true);
    } else if (cause.kind === "frame") {
      const { request, streamId } = cause;
      this.speaker = model.streams.get(streamId)?.session;
      for (const token of request.accepted) this.#valid(model, token, (run) => this.accepts.add(run));
      for (const { token } of request.declined) this.#valid(model, token, (run) => run.place === "assigned" && this.returns.add(run), false);
      for (const command of request.commands) {
        this.#valid(
          model,
          command.token,
          (run) => {
            this.accepts.add(run);
            const commands = this.commands.get(run);
            if (commands) commands.push(command);
            else this.commands.set(run, [command]);
          },
          false,
        );
      }
      for (const result of request.results) this.#valid(model, result.token, (run) => !this.results.has(run) && this.results.set(run, result), false);
      for (const token of request.cancelConfirmed) this.#valid(model, token, (run) => this.confirms.add(run), false);
      const list = request.heldList;
      if (list) this.#list(model, list.held, (run) => (run.sequence ?? 0n) <= list.assignmentSequence);
    } else if (cause.kind === "closed") {
      const connection = model.streams.get(cause.streamId);
      const holds = [...model.runs.values()].some((run) => run.session === connection?.session.number);
      if (cause.goodbye && connection?.draining && !holds) this.ending.add(connection.session);
    } else if (cause.kind === "tick" || cause.kind === "begin") {
      for (const session of model.sessions.values()) if (monotonic - session.heardAt >= leaseMs) this.ending.add(session);
    }
  }

  /** Whether a run's attempt may be given up: its session ends, or its worker does not have it. */
  mayLose(model: Model, run: RunModel): boolean {
    return this.losses.has(run) || this.ending.has(model.sessions.get(run.session ?? 0) as SessionModel);
  }

  #list(model: Model, held: readonly HeldAttempt[], delivered: (run: RunModel) => boolean): void {
    const present = new Set<RunModel>();
    for (const { token } of held) this.#valid(model, token, (run) => present.add(run) && this.accepts.add(run));
    for (const run of model.runs.values()) {
      if (run.session !== this.speaker?.number || run.session === undefined || present.has(run) || !isWithWorker.has(run.place)) continue;
      if (run.place !== "assigned" || delivered(run)) this.losses.add(run);
    }
  }

  #valid(model: Model, token: Uint8Array, then: (run: RunModel) => unknown, strange = true): void {
    const key = tokenKey(token);
    const run = model.tokens.get(key);
    if (run && this.speaker && run.token === key && run.session === this.speaker.number) then(run);
    else if (strange) this.strange.push(key);
  }
}
