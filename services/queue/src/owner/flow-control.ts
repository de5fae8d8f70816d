import type {
  ChangeEnvironmentRequest,
  ChangeEnvironmentResponse,
  ChangeLimitRequest,
  ChangeLimitResponse,
  ChangeQueueRequest,
  ChangeQueueResponse,
  JudgeRunRequest,
  JudgeRunResponse,
  ReadEnvironmentRequest,
  ReadEnvironmentResponse,
  ReadLimitsRequest,
  ReadLimitsResponse,
  ReadQueuesRequest,
  ReadQueuesResponse,
} from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { decideUpdateEnvironment, decideUpdateLimit, decideUpdateQueue } from "../engine/decide-flow.js";
import type { Environment } from "../engine/environment.js";
import { explain } from "../engine/explain.js";
import { environmentMessageOf, limitKeyMessageOf, limitMessageOf, queueMessageOf } from "../engine/flow-view.js";
import type { LimitRecord } from "../engine/limit-record.js";
import type { QueueRecord } from "../engine/queue-record.js";
import type { RunRecord } from "../engine/run-record.js";
import type { Step } from "../engine/step.js";
import type { Volatile } from "../engine/volatile.js";
import { concernsFlow, concernsRun } from "./concerns.js";
import type { GroupCommit } from "./group-commit.js";
import { limitNotFound, queueNotFound, runNotFound } from "./not-found.js";

/** What flow control stands on. */
export interface FlowControlOptions {
  readonly commit: GroupCommit;
  readonly volatile: Volatile;
  /** The environment of this name. @throws ConnectError INVALID_KEY if there is none, NOT_OWNER if the partition is another's. */
  readonly environment: (name: string) => Environment;
  /** @throws ConnectError if no decision can be taken now */
  readonly admit: () => void;
  /** The partition's time, in milliseconds of the Unix epoch. */
  readonly now: () => number;
  /** The run of this id, if memory has it. @throws ConnectError RUN_NOT_FOUND if there never was one */
  readonly find: (environment: Environment, runId: string) => { readonly number: number; readonly live: RunRecord | undefined };
}

/** Shows and changes what decides when the runs of a partition start. What it answers, it answers once the state that it saw is on disk. */
export class FlowControl {
  readonly #options: FlowControlOptions;

  constructor(options: FlowControlOptions) {
    this.#options = options;
  }

  /** Says why a run waits. */
  async judge({ environment: name, runId }: JudgeRunRequest): Promise<JudgeRunResponse> {
    const { environment, find, volatile, commit, now } = this.#options;
    const { live, number } = find(environment(name), runId);
    if (!live) throw runNotFound(runId);
    const answer = explain(volatile, live, now());
    await commit.settled((event) => concernsRun(event, number));
    return { $typeName: "runlane.internal.v1.JudgeRunResponse", answer };
  }

  /** Lists queues that somebody knows, or reads one. */
  async readQueues({ environment: name, after, limit, name: only }: ReadQueuesRequest): Promise<ReadQueuesResponse> {
    const { queues } = this.#options.environment(name);
    const known = only ? [knownQueue(queues, only)] : [...queues.values()].filter((queue) => queue.known);
    const messages = (only ? known : page(known, after, limit)).map(queueMessageOf);
    await this.#options.commit.settled(concernsFlow);
    return { $typeName: "runlane.internal.v1.ReadQueuesResponse", queues: messages, totalCount: BigInt(known.length) };
  }

  /** Pauses or resumes a queue, or overrides its limit. */
  async changeQueue({ environment: name, request }: ChangeQueueRequest): Promise<ChangeQueueResponse> {
    const queue = knownQueue(this.#options.environment(name).queues, request?.queue ?? "");
    const message = await this.#decide((step) => {
      if (request) decideUpdateQueue(step, queue, request);
      return queueMessageOf(queue);
    });
    return { $typeName: "runlane.internal.v1.ChangeQueueResponse", queue: message };
  }

  /** Lists declared limits, or reads one. */
  async readLimits({ environment: name, after, limit, name: only, concurrencyKey }: ReadLimitsRequest): Promise<ReadLimitsResponse> {
    const { limits } = this.#options.environment(name).flow;
    const $typeName = "runlane.internal.v1.ReadLimitsResponse";
    const declared = only ? [] : [...limits.values()].filter((each) => each.declared);
    const one = only ? declaredLimit(limits, only) : undefined;
    const messages = (one ? [one] : page(declared, after, limit)).map(limitMessageOf);
    const key = one && concurrencyKey !== undefined ? limitKeyMessageOf(one, concurrencyKey) : undefined;
    await this.#options.commit.settled(concernsFlow);
    return { $typeName, limits: messages, totalCount: BigInt(one ? 1 : declared.length), ...(key && { key }) };
  }

  /** Pauses, resumes or overrides a limit, or what it is for one key. */
  async changeLimit({ environment: name, request }: ChangeLimitRequest): Promise<ChangeLimitResponse> {
    const environment = this.#options.environment(name);
    const limit = declaredLimit(environment.flow.limits, request?.name ?? "");
    const concurrencyKey = request?.concurrencyKey;
    return await this.#decide((step) => {
      if (request) decideUpdateLimit(step, environment, limit, request);
      const key = concurrencyKey === undefined ? undefined : limitKeyMessageOf(limit, concurrencyKey);
      return { $typeName: "runlane.internal.v1.ChangeLimitResponse", limit: limitMessageOf(limit), ...(key && { key }) };
    });
  }

  /** Reads an environment. */
  async readEnvironment({ environment: name }: ReadEnvironmentRequest): Promise<ReadEnvironmentResponse> {
    const environment = environmentMessageOf(this.#options.environment(name));
    await this.#options.commit.settled(concernsFlow);
    return { $typeName: "runlane.internal.v1.ReadEnvironmentResponse", environment };
  }

  /** Pauses, resumes or limits an environment. */
  async changeEnvironment({ environment: name, request }: ChangeEnvironmentRequest): Promise<ChangeEnvironmentResponse> {
    const environment = this.#options.environment(name);
    const message = await this.#decide((step) => {
      if (request) decideUpdateEnvironment(step, environment, request);
      return environmentMessageOf(environment);
    });
    return { $typeName: "runlane.internal.v1.ChangeEnvironmentResponse", environment: message };
  }

  async #decide<T>(decision: (step: Step) => T): Promise<T> {
    const { commit, admit } = this.#options;
    admit();
    const result = commit.decide(64, decision);
    await commit.settled();
    return result;
  }
}

/** The first of those whose name comes after `after`, by name. */
function page<T extends { readonly name: string }>(all: readonly T[], after: string, most: number): T[] {
  return all
    .filter(({ name }) => name > after)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, most);
}

function knownQueue(queues: ReadonlyMap<string, QueueRecord>, name: string): QueueRecord {
  const queue = queues.get(name);
  if (!queue?.known) throw queueNotFound(name);
  return queue;
}

function declaredLimit(limits: ReadonlyMap<string, LimitRecord>, name: string): LimitRecord {
  const limit = limits.get(name);
  if (!limit?.declared) throw limitNotFound(name);
  return limit;
}
