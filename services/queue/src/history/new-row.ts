import { toBinary } from "@bufbuild/protobuf";
import type { RunSettings } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { FailureSchema, PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { failedState } from "../engine/failure-state.js";
import type { DeclaredTask } from "./declarations.js";
import type { AskedSettings, CachedRow } from "./history-row.js";
import type { Names } from "./names.js";
import type { ScannedRun } from "./record-scan.js";

/** Attempts in total of a run whose trigger and task do not say. */
export const defaultMaxAttempts = 3;

/** What a new run's row needs besides what its trigger said. */
interface Birth {
  readonly number: number;
  readonly environment: number;
  readonly task: number;
  readonly declared: DeclaredTask | undefined;
  /** Whether somebody has declared a queue. */
  readonly isKnown: (queue: number) => boolean;
  readonly asked: AskedSettings | null;
  readonly batch: number;
  readonly parent: CachedRow | undefined;
  readonly parentNumber: number;
  readonly nowMs: number;
  readonly position: number;
  readonly names: Names;
}

/** The row of a run that is created now. */
export function newRow(
  { taskId, queue, askedAttempts, payload, settings, failure }: ScannedRun,
  { number, environment, task, declared, isKnown, asked, batch, parent, parentNumber, nowMs, position, names }: Birth,
): CachedRow {
  const queueId = queue ? names.idOf(queue) : (declared?.queue ?? names.idOf(`task/${taskId}`));
  const row: CachedRow = {
    number,
    environment,
    task,
    queue: queueId,
    version: names.idOf(asked?.version ?? ""),
    state: declared && isKnown(queueId) ? RunState.QUEUED : RunState.PENDING_VERSION,
    attempt: 0,
    askedAttempts,
    queueNamed: queue !== "",
    maxAttempts: askedAttempts || (declared?.maxAttempts ?? defaultMaxAttempts),
    createMs: nowMs,
    startMs: 0,
    finishMs: 0,
    retryMs: 0,
    parent: parentNumber,
    root: parent ? parent.root || parentNumber : 0,
    depth: parent ? parent.depth + 1 : 0,
    position,
    machine: 0,
    maxDurationSeconds: 0,
    queueMs: 0,
    ttlSeconds: 0,
    expireMs: 0,
    batch,
    test: settings?.test ?? false,
    asked,
    tags: settings?.tags ?? noTags,
    failure: null,
    payload,
    output: null,
    metadata: settings?.metadata ? toBinary(PayloadSchema, settings.metadata) : null,
    stored: false,
    rare: false,
    dirty: true,
    replacedTags: null,
  };
  const due = Number(settings?.delayUntilMs ?? 0n);
  if (failure) {
    row.state = failedState(failure);
    row.failure = toBinary(FailureSchema, failure);
    row.finishMs = nowMs;
  } else if (due > nowMs) {
    row.state = RunState.DELAYED;
    row.queueMs = due;
  } else {
    limitLife(row, declared, nowMs);
  }
  return row;
}

/** No tags. */
export const noTags: readonly string[] = [];

/** What a trigger asked for; null for nothing. */
export function askedSettings(settings: RunSettings | undefined, parentVersion: string): AskedSettings | null {
  if (!settings) return parentVersion === "" ? null : { version: parentVersion, machine: "" };
  const { version, machine, maxDurationSeconds, ttlSeconds, idempotency, concurrencyKey, priorityMs, weight, replayOf } = settings;
  // What is undefined is left out of the JSON.
  return {
    version: version || parentVersion,
    machine,
    maxDurationSeconds,
    ttlSeconds,
    key: idempotency && (idempotency.displayKey || idempotency.key),
    scope: idempotency?.scope,
    concurrencyKey: concurrencyKey || undefined,
    priorityMs: Number(priorityMs) || undefined,
    weight: weight || undefined,
    replayOf: Number(replayOf) || undefined,
  };
}

/** A run enters its queue: from now on its time to live counts. */
export function limitLife(row: CachedRow, declared: DeclaredTask | undefined, nowMs: number): void {
  row.ttlSeconds = row.asked?.ttlSeconds ?? declared?.ttlSeconds ?? 0;
  row.expireMs = row.ttlSeconds > 0 ? nowMs + row.ttlSeconds * 1_000 : 0;
}
