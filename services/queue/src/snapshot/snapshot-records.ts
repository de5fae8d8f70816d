import type { SnapshotRecord, SnapshotSession } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import { type Durable, workerKey } from "../engine/durable.js";
import type { Environment } from "../engine/environment.js";
import type { QueueRecord } from "../engine/queue-record.js";
import type { SessionRecord } from "../engine/session-record.js";
import { batchFacts, keyFacts } from "./batch-facts.js";
import { createdFacts } from "./created-facts.js";
import { bucketFacts, flowFacts, limitFacts, queueFacts } from "./flow-facts.js";
import { runFacts } from "./run-facts.js";
import { tokenFacts } from "./token-facts.js";

/** The format that this version writes, and the only one that it reads. Raised when something is said in another way. */
export const snapshotFormat = 1;

/** Numbers of finished runs in one record. */
const finishedTogether = 10_000;

/** Where in its log a snapshot stands. */
export interface SnapshotPlace {
  /** Sequence of the last record that is part of it. */
  readonly sequence: number;
  /** Beginning of that record. */
  readonly mark: Uint8Array;
}

type Value = SnapshotRecord["record"];

/**
 * Everything that a state says, as records of a snapshot. The state must not change while they are drawn.
 *
 * Facts only: what follows from them is made again by the reader, so a field of the state that is neither here nor counted from what is here is lost, and `snapshot.property.test.ts` fails.
 */
export function* snapshotRecords(durable: Durable, { sequence, mark }: SnapshotPlace): Generator<SnapshotRecord> {
  let records = 0n;
  for (const record of values(durable, sequence, mark)) {
    records += 1n;
    yield { $typeName: "runlane.internal.v1.SnapshotRecord", record };
  }
  const trailer: Value = { case: "trailer", value: { $typeName: "runlane.internal.v1.SnapshotTrailer", records } };
  yield { $typeName: "runlane.internal.v1.SnapshotRecord", record: trailer };
}

function* values(durable: Durable, sequence: number, mark: Uint8Array): Generator<Value> {
  yield {
    case: "header",
    value: {
      $typeName: "runlane.internal.v1.SnapshotHeader",
      formatVersion: snapshotFormat,
      sequence: BigInt(sequence),
      mark,
      nowMs: BigInt(durable.now),
      nextRun: BigInt(durable.nextRun),
      nextSession: BigInt(durable.nextSession),
      finishedBytes: BigInt(durable.finishedBytes),
      nextBatch: BigInt(durable.batches.next),
    },
  };
  const queues = new Map<QueueRecord, number>();
  const environments = new Map<Environment, number>();
  for (const environment of durable.environments.values()) {
    const index = environments.size;
    environments.set(environment, index);
    yield* environmentValues(environment, index);
    for (const queue of environment.queues.values()) {
      queues.set(queue, queues.size);
      yield { case: "queue", value: queueFacts(queue, index) };
      for (const { key, bucket } of queue.lanes.values()) {
        if (!bucket) continue;
        const value = { $typeName: "runlane.internal.v1.SnapshotLaneRest", queue: queues.size - 1, key, bucket: bucketFacts(bucket) } as const;
        yield { case: "laneRest", value };
      }
    }
  }
  for (const session of durable.sessions.values()) {
    const newest = durable.sessionOf.get(workerKey(session.environment.name, session.workerId)) === session;
    yield { case: "session", value: sessionFacts(session, environments.get(session.environment) as number, newest) };
  }
  yield* runValues(durable, queues);
  for (const { number, runs } of durable.sessions.values()) {
    if (runs.size === 0) continue;
    const numbers = [...runs].map((run) => BigInt(run.number));
    yield { case: "sessionRuns", value: { $typeName: "runlane.internal.v1.SnapshotSessionRuns", session: BigInt(number), runs: numbers } };
  }
  for (const [{ versions }, environment] of environments) {
    for (const [version, bound] of versions.bound) {
      const runs = [...bound.keys()].map((run) => BigInt(run.number));
      const readyMs = [...bound.values()].map(BigInt);
      yield { case: "boundRuns", value: { $typeName: "runlane.internal.v1.SnapshotBoundRuns", environment, version, runs, readyMs } };
    }
  }
  yield* finishedValues(durable);
  for (const batch of durable.batches.byNumber.values()) yield { case: "batch", value: batchFacts(batch, environments.get(batch.environment) as number) };
  for (const [{ keys }, environment] of environments) for (const key of keys.values()) yield { case: "key", value: keyFacts(key, environment) };
  yield* requestValues(durable);
}

function* environmentValues({ name, tag, flow, versions, tasks, payloads, tokens }: Environment, environment: number): Generator<Value> {
  yield { case: "environment", value: { $typeName: "runlane.internal.v1.SnapshotEnvironment", name, tag, ...flowFacts(flow), nextToken: BigInt(tokens.next) } };
  for (const limit of flow.limits.values()) yield { case: "limit", value: limitFacts(limit, environment) };
  for (const record of versions.byNumber.values()) {
    const { version, buildId, createMs, setAside } = record;
    const current = record === versions.current;
    yield {
      case: "version",
      value: { $typeName: "runlane.internal.v1.SnapshotVersion", environment, version, buildId, createMs: BigInt(createMs), setAside, current },
    };
  }
  for (const token of tokens.byNumber.values()) yield { case: "token", value: tokenFacts(token, environment) };
  for (const { declaration, version, limits } of tasks.values()) {
    const names = limits?.map((limit) => limit.name) ?? [];
    yield { case: "task", value: { $typeName: "runlane.internal.v1.SnapshotTask", environment, declaration, version, limits: names } };
  }
  for (const { reference, sizeBytes, storedMs, refs, freeMs } of payloads.values()) {
    yield {
      case: "payload",
      value: {
        $typeName: "runlane.internal.v1.SnapshotPayload",
        environment,
        reference,
        sizeBytes: BigInt(sizeBytes),
        storedMs: BigInt(storedMs),
        refs: BigInt(refs),
        freeMs: BigInt(freeMs),
      },
    };
  }
}

function sessionFacts(session: SessionRecord, environment: number, newest: boolean): SnapshotSession {
  const { number, workerId, incarnation, version, milliCpus, memoryMib } = session;
  return {
    $typeName: "runlane.internal.v1.SnapshotSession",
    session: BigInt(number),
    environment,
    workerId,
    incarnation,
    version,
    capacity: { $typeName: "runlane.v1.Capacity", milliCpus, memoryMib },
    newest,
  };
}

function* runValues(durable: Durable, queues: ReadonlyMap<QueueRecord, number>): Generator<Value> {
  const texts = new Map<string, number>();
  for (const run of durable.runs.values()) {
    for (const text of [run.taskId, run.version]) {
      if (text === "" || texts.has(text)) continue;
      texts.set(text, texts.size);
      yield { case: "text", value: text };
    }
    const task = texts.get(run.taskId) as number;
    const version = run.version === "" ? 0 : (texts.get(run.version) as number) + 1;
    yield { case: "run", value: runFacts(run, { queue: queues.get(run.queue) as number, task, version }) };
  }
}

function* finishedValues({ finished }: Durable): Generator<Value> {
  const runs: bigint[] = [];
  finished.forEach((run) => {
    runs.push(BigInt(run.number));
  });
  for (let at = 0; at < runs.length; at += finishedTogether) {
    yield { case: "finishedRuns", value: { $typeName: "runlane.internal.v1.SnapshotFinishedRuns", runs: runs.slice(at, at + finishedTogether) } };
  }
}

function* requestValues({ requests, requestOrder }: Durable): Generator<Value> {
  const order: { readonly key: string; readonly timeMs: number }[] = [];
  requestOrder.forEach((entry) => {
    order.push(entry);
  });
  for (const { key, timeMs } of order) {
    const created = requests.get(key);
    if (!created) continue;
    const value = { $typeName: "runlane.internal.v1.SnapshotRequest", key, timeMs: BigInt(timeMs), created: createdFacts(created) } as const;
    yield { case: "request", value };
  }
}
