import type {
  EnvironmentUpdated,
  Event,
  FoundRun,
  IdempotencySetting,
  LimitUpdated,
  NewRun,
  QueueUpdated,
  Refusal,
  RunSettings,
} from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Failure, Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import type {
  Capacity,
  ConcurrencyLimitDeclaration,
  JournalKey,
  QueueDeclaration,
  TaskDeclaration,
} from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { BatchRecord } from "./batch-record.js";
import type { RefusedAt, RunRecord } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import type { WaitToken } from "./wait-token.js";

// Written as literals: on the hot path `create` with its reflection costs more than the decision.
const event = (value: Event["event"]): Event => ({ $typeName: "runlane.internal.v1.Event", event: value });

export const environmentCreated = (name: string, tag: string): Event =>
  event({ case: "environmentCreated", value: { $typeName: "runlane.internal.v1.EnvironmentCreated", name, tag } });

/** What an event of created runs says. */
export interface Creation {
  readonly environment: string;
  readonly requestId: string;
  readonly firstNumber: number;
  readonly runs: NewRun[];
  readonly refused: readonly RefusedAt[];
  readonly found: FoundRun[];
  readonly parent: number;
  readonly commandId: number;
  readonly version: string;
  readonly batch: number;
  readonly batchIndex: number;
}

export const runsCreated = (created: Creation): Event =>
  event({
    case: "runsCreated",
    value: {
      $typeName: "runlane.internal.v1.RunsCreated",
      environment: created.environment,
      requestId: created.requestId,
      firstNumber: BigInt(created.firstNumber),
      runs: created.runs,
      refused: created.refused.map(({ index, refusal }) => ({ $typeName: "runlane.internal.v1.RefusedItem", index, refusal: asRefusal(refusal) })),
      parent: BigInt(created.parent),
      commandId: created.commandId,
      version: created.version,
      found: created.found,
      batch: BigInt(created.batch),
      batchIndex: created.batchIndex,
    },
  });

export const foundRun = (index: number, run: number, completed: boolean): FoundRun => ({
  $typeName: "runlane.internal.v1.FoundRun",
  index,
  run: BigInt(run),
  completed,
});

export const newRun = (taskId: string, payload: Payload | undefined, queue: string, maxAttempts: number, settings: RunSettings | undefined): NewRun => ({
  $typeName: "runlane.internal.v1.NewRun",
  taskId,
  queue,
  maxAttempts,
  ...(payload ? { payload } : {}),
  ...(settings ? { settings } : {}),
});

/** A run that has failed before it began, because it could not be triggered. */
export const failedRun = (taskId: string, failure: Failure): NewRun => ({
  $typeName: "runlane.internal.v1.NewRun",
  taskId,
  queue: "",
  maxAttempts: 0,
  failure,
});

export const versionCreated = (environment: string, buildId: string, version: string): Event =>
  event({ case: "versionCreated", value: { $typeName: "runlane.internal.v1.VersionCreated", environment, buildId, version } });

export const tasksDeclared = (environment: string, version: string, tasks: TaskDeclaration[]): Event =>
  event({ case: "tasksDeclared", value: { $typeName: "runlane.internal.v1.TasksDeclared", environment, version, tasks } });

export const queuesDeclared = (environment: string, version: string, queues: QueueDeclaration[], limits: ConcurrencyLimitDeclaration[]): Event =>
  event({ case: "queuesDeclared", value: { $typeName: "runlane.internal.v1.QueuesDeclared", environment, version, queues, limits } });

export const queueUpdated = (environment: string, queue: string, changes: Pick<QueueUpdated, "paused" | "concurrencyLimit">): Event =>
  event({ case: "queueUpdated", value: { $typeName: "runlane.internal.v1.QueueUpdated", environment, queue, ...changes } });

export const limitUpdated = (
  environment: string,
  limit: string,
  changes: Pick<LimitUpdated, "paused" | "perKey" | "total" | "concurrencyKey"> & { expireMs?: number },
): Event =>
  event({
    case: "limitUpdated",
    value: { $typeName: "runlane.internal.v1.LimitUpdated", environment, limit, ...changes, expireMs: BigInt(changes.expireMs ?? 0) },
  });

export const environmentUpdated = (environment: string, changes: Pick<EnvironmentUpdated, "paused" | "concurrencyLimit" | "burstFactor">): Event =>
  event({ case: "environmentUpdated", value: { $typeName: "runlane.internal.v1.EnvironmentUpdated", environment, ...changes } });

export const versionPromoted = (environment: string, version: string): Event =>
  event({ case: "versionPromoted", value: { $typeName: "runlane.internal.v1.VersionPromoted", environment, version } });

export const sessionOpened = (opened: {
  session: number;
  environment: string;
  workerId: string;
  incarnation: bigint;
  version: string;
  capacity: Capacity | undefined;
}): Event => {
  const { session, environment, workerId, incarnation, version, capacity } = opened;
  const value = { $typeName: "runlane.internal.v1.SessionOpened", session: BigInt(session), environment, workerId, incarnation, version } as const;
  return event({ case: "sessionOpened", value: capacity ? { ...value, capacity } : value });
};

export const sessionEnded = (session: SessionRecord): Event =>
  event({ case: "sessionEnded", value: { $typeName: "runlane.internal.v1.SessionEnded", session: BigInt(session.number) } });

export const runAssigned = (run: RunRecord, session: SessionRecord, nonce: bigint): Event =>
  event({
    case: "runAssigned",
    value: {
      $typeName: "runlane.internal.v1.RunAssigned",
      run: BigInt(run.number),
      session: BigInt(session.number),
      attempt: run.phase === "revived" ? run.attempt : run.attempt + 1,
      nonce,
      resumed: run.phase === "revived",
    },
  });

export const runsAccepted = (runs: RunRecord[]): Event =>
  event({ case: "runsAccepted", value: { $typeName: "runlane.internal.v1.RunsAccepted", runs: runs.map((run) => BigInt(run.number)) } });

export const runReturned = (run: RunRecord): Event =>
  event({ case: "runReturned", value: { $typeName: "runlane.internal.v1.RunReturned", run: BigInt(run.number) } });

export const attemptSucceeded = (run: RunRecord, output: Payload | undefined): Event =>
  event({
    case: "attemptSucceeded",
    value: { $typeName: "runlane.internal.v1.AttemptSucceeded", run: BigInt(run.number), ...(output ? { output } : {}) },
  });

export const attemptFailed = (
  run: RunRecord,
  failure: Failure | undefined,
  retryAtMs: number | undefined,
  ownProcess: boolean,
  retryMachine = "",
  activeMs = 0,
): Event =>
  event({
    case: "attemptFailed",
    value: {
      $typeName: "runlane.internal.v1.AttemptFailed",
      run: BigInt(run.number),
      ownProcess,
      retryMachine,
      activeMs: BigInt(activeMs),
      ...(failure ? { failure } : {}),
      ...(retryAtMs === undefined ? {} : { retryAtMs: BigInt(retryAtMs) }),
    },
  });

export const retryDue = (run: RunRecord): Event => event({ case: "retryDue", value: { $typeName: "runlane.internal.v1.RetryDue", run: BigInt(run.number) } });

export const runExpired = (run: RunRecord): Event =>
  event({ case: "runExpired", value: { $typeName: "runlane.internal.v1.RunExpired", run: BigInt(run.number) } });

export const runRescheduled = (run: RunRecord, dueMs: number, replacement: NewRun | undefined): Event =>
  event({
    case: "runRescheduled",
    value: { $typeName: "runlane.internal.v1.RunRescheduled", run: BigInt(run.number), dueMs: BigInt(dueMs), ...(replacement ? { replacement } : {}) },
  });

export const idempotencyKeyEnded = (environment: string, taskId: string, key: string): Event =>
  event({ case: "idempotencyKeyEnded", value: { $typeName: "runlane.internal.v1.IdempotencyKeyEnded", environment, taskId, key } });

export const batchCreated = (environment: string, number: number, idempotency: IdempotencySetting | undefined, parent: number): Event =>
  event({
    case: "batchCreated",
    value: {
      $typeName: "runlane.internal.v1.BatchCreated",
      environment,
      number: BigInt(number),
      parent: BigInt(parent),
      ...(idempotency ? { idempotency } : {}),
    },
  });

export const batchClosed = (batch: BatchRecord, aborted: boolean): Event =>
  event({ case: "batchClosed", value: { $typeName: "runlane.internal.v1.BatchClosed", number: BigInt(batch.number), aborted } });

export const batchForgotten = (batch: BatchRecord): Event =>
  event({ case: "batchForgotten", value: { $typeName: "runlane.internal.v1.BatchForgotten", number: BigInt(batch.number) } });

/** What a wait is for. */
export interface Awaited {
  readonly children?: readonly number[];
  readonly untilMs?: number;
  readonly token?: WaitToken;
  /** The command, if no other event answers it. */
  readonly commandId?: number;
}

export const waitBegan = (run: RunRecord, waitId: number, { children = [], untilMs = 0, token, commandId = 0 }: Awaited): Event =>
  event({
    case: "waitBegan",
    value: {
      $typeName: "runlane.internal.v1.WaitBegan",
      run: BigInt(run.number),
      waitId,
      children: children.map(BigInt),
      untilMs: BigInt(untilMs),
      token: BigInt(token?.number ?? 0),
      commandId,
      ended: token !== undefined && token.state !== "waiting",
    },
  });

/** What a new token has besides its number and its secret. */
export type TokenSetting = Pick<WaitToken, "timeoutMs" | "key" | "keyExpireMs" | "tags" | "timer" | "requestId">;

export const tokenCreated = (environment: string, number: number, secret: string, setting: TokenSetting): Event =>
  event({
    case: "tokenCreated",
    value: {
      $typeName: "runlane.internal.v1.TokenCreated",
      environment,
      number: BigInt(number),
      secret,
      timeoutMs: BigInt(setting.timeoutMs),
      key: setting.key,
      keyExpireMs: BigInt(setting.keyExpireMs),
      tags: [...setting.tags],
      timer: setting.timer,
      requestId: setting.requestId,
    },
  });

export const tokenCompleted = (environment: string, number: number, output: Payload | undefined, timedOut: boolean): Event =>
  event({
    case: "tokenCompleted",
    value: { $typeName: "runlane.internal.v1.TokenCompleted", environment, number: BigInt(number), timedOut, ...(output ? { output } : {}) },
  });

export const tokenForgotten = (environment: string, number: number): Event =>
  event({ case: "tokenForgotten", value: { $typeName: "runlane.internal.v1.TokenForgotten", environment, number: BigInt(number) } });

export const runParked = (run: RunRecord): Event =>
  event({ case: "runParked", value: { $typeName: "runlane.internal.v1.RunParked", run: BigInt(run.number) } });

export const waitEnded = (run: RunRecord, waitId: number): Event =>
  event({ case: "waitEnded", value: { $typeName: "runlane.internal.v1.WaitEnded", run: BigInt(run.number), waitId } });

export const commandJournalled = (run: RunRecord, commandId: number, key: JournalKey, waitId: number): Event =>
  event({ case: "commandJournalled", value: { $typeName: "runlane.internal.v1.CommandJournalled", run: BigInt(run.number), commandId, key, waitId } });

export const entryRecorded = (run: RunRecord, commandId: number, key: JournalKey, output: Payload | undefined, failure: Failure | undefined): Event =>
  event({
    case: "entryRecorded",
    value: {
      $typeName: "runlane.internal.v1.EntryRecorded",
      run: BigInt(run.number),
      commandId,
      key,
      ...(output ? { output } : {}),
      ...(failure ? { failure } : {}),
    },
  });

export const runResumed = (run: RunRecord, waitIds: number[]): Event =>
  event({ case: "runResumed", value: { $typeName: "runlane.internal.v1.RunResumed", run: BigInt(run.number), waitIds } });

export const waitContinued = (run: RunRecord, commandId: number): Event =>
  event({ case: "waitContinued", value: { $typeName: "runlane.internal.v1.WaitContinued", run: BigInt(run.number), commandId } });

export const runCanceled = (run: RunRecord, reason: string): Event =>
  event({ case: "runCanceled", value: { $typeName: "runlane.internal.v1.RunCanceled", run: BigInt(run.number), reason } });

export const cancelConfirmed = (run: RunRecord): Event =>
  event({ case: "cancelConfirmed", value: { $typeName: "runlane.internal.v1.CancelConfirmed", run: BigInt(run.number) } });

export const commandAnswered = (run: RunRecord, commandId: number, refusal: { reason: string; message: string } | undefined): Event =>
  event({
    case: "commandAnswered",
    value: { $typeName: "runlane.internal.v1.CommandAnswered", run: BigInt(run.number), commandId, ...(refusal ? { refusal: asRefusal(refusal) } : {}) },
  });

export const runUnbound = (run: RunRecord): Event =>
  event({ case: "runUnbound", value: { $typeName: "runlane.internal.v1.RunUnbound", run: BigInt(run.number) } });

export const runUpdated = (run: RunRecord, changes: { tags?: string[] | undefined; metadata?: Payload | undefined }, by: RunRecord, commandId: number): Event =>
  event({
    case: "runUpdated",
    value: {
      $typeName: "runlane.internal.v1.RunUpdated",
      run: BigInt(run.number),
      by: BigInt(by.number),
      commandId,
      ...(changes.tags ? { tags: { $typeName: "runlane.internal.v1.RunTags", tags: changes.tags } } : {}),
      ...(changes.metadata ? { metadata: changes.metadata } : {}),
    },
  });

export const payloadStored = (environment: string, reference: string, sizeBytes: bigint): Event =>
  event({ case: "payloadStored", value: { $typeName: "runlane.internal.v1.PayloadStored", environment, reference, sizeBytes } });

export const payloadDropped = (environment: string, reference: string): Event =>
  event({ case: "payloadDropped", value: { $typeName: "runlane.internal.v1.PayloadDropped", environment, reference } });

const asRefusal = ({ reason, message }: { reason: string; message: string }): Refusal => ({ $typeName: "runlane.internal.v1.Refusal", reason, message });
