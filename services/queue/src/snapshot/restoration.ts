import type { SnapshotRecord, SnapshotRequest, SnapshotRun, SnapshotSession, SnapshotVersion } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import { createDurable, type Durable, workerKey } from "../engine/durable.js";
import { createEnvironment, debounceKeyOf, type Environment } from "../engine/environment.js";
import { limitOf } from "../engine/flow.js";
import { laneOf } from "../engine/lane.js";
import type { BacklogOptions } from "../engine/packed-runs.js";
import { phases } from "../engine/phase.js";
import type { QueueRecord } from "../engine/queue-record.js";
import { clearIndexes, finishIndexes, indexRun } from "../engine/reindex.js";
import type { RunRecord } from "../engine/run-record.js";
import type { SessionRecord } from "../engine/session-record.js";
import type { VersionRecord } from "../engine/version-record.js";
import { batchOfFacts, keyOfFacts } from "./batch-facts.js";
import { createdOf } from "./created-facts.js";
import { bucketOf, limitOfFacts, queueOfFacts, takeFlow } from "./flow-facts.js";
import { runOfFacts } from "./run-facts.js";
import { type SnapshotPlace, snapshotFormat } from "./snapshot-records.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";
import { tokenOfFacts } from "./token-facts.js";

/** What a snapshot holds. */
export interface Restored extends SnapshotPlace {
  readonly durable: Durable;
  /** How many records it has. */
  readonly records: number;
}

/** Makes a state of the records of a snapshot. One that is in any way not as it was written ends in SnapshotUnreadable. */
export class Restoration {
  readonly #durable: Durable;
  readonly #environments: Environment[] = [];
  readonly #queues: { readonly queue: QueueRecord; readonly environment: Environment }[] = [];
  readonly #texts: string[] = [];
  #place: SnapshotPlace | undefined;
  #records = 0;
  #whole = false;
  /** What runs are put into is there. */
  #begun = false;

  /** `backlog`: how a long one is kept. */
  constructor(backlog?: BacklogOptions) {
    this.#durable = createDurable(backlog);
  }

  /** Takes the next record. */
  take({ record }: SnapshotRecord): void {
    if (this.#whole) throw new SnapshotUnreadable("there is something behind the snapshot's end");
    if ((record.case === "header") !== (this.#records === 0)) throw new SnapshotUnreadable("the snapshot does not begin with its header, or has two");
    if (record.case !== "trailer") this.#records += 1;
    const durable = this.#durable;
    switch (record.case) {
      case "header": {
        const { formatVersion, sequence, mark, nowMs, nextRun, nextSession, finishedBytes, nextBatch } = record.value;
        if (formatVersion !== snapshotFormat) throw new SnapshotUnreadable(`the snapshot has format ${formatVersion}, this version reads ${snapshotFormat}`);
        this.#place = { sequence: Number(sequence), mark };
        durable.now = Number(nowMs);
        durable.nextRun = Number(nextRun);
        durable.nextSession = Number(nextSession);
        durable.finishedBytes = Number(finishedBytes);
        durable.batches.next = Number(nextBatch);
        return;
      }
      case "trailer":
        if (Number(record.value.records) !== this.#records) throw new SnapshotUnreadable("the snapshot has lost records");
        this.#whole = true;
        return;
      case "text":
        this.#texts.push(record.value);
        return;
      case "environment": {
        const { name, tag } = record.value;
        const environment = createEnvironment(name, tag);
        takeFlow(environment.flow, record.value);
        // A snapshot of before there were tokens says 0.
        environment.tokens.next = Math.max(1, Number(record.value.nextToken));
        this.#environments.push(environment);
        durable.environments.set(name, environment);
        return;
      }
      case "version":
        return this.#takeVersion(record.value);
      case "task": {
        const { declaration, version, limits } = record.value;
        if (!declaration) throw new SnapshotUnreadable("the snapshot has a task without a declaration");
        const { tasks, flow } = this.#environment(record.value.environment);
        tasks.set(declaration.id, { declaration, version, limits: limits.length === 0 ? undefined : limits.map((name) => limitOf(flow, name)) });
        return;
      }
      case "payload": {
        const { environment, reference, sizeBytes, storedMs, refs, freeMs } = record.value;
        const payload = { reference, sizeBytes: Number(sizeBytes), storedMs: Number(storedMs), freeMs: Number(freeMs), refs: Number(refs) };
        this.#environment(environment).payloads.set(reference, payload);
        return;
      }
      case "token": {
        const token = tokenOfFacts(record.value);
        this.#environment(record.value.environment).tokens.byNumber.set(token.number, token);
        return;
      }
      case "queue": {
        const environment = this.#environment(record.value.environment);
        const queue = queueOfFacts(environment, record.value);
        environment.queues.set(queue.name, queue);
        this.#queues.push({ queue, environment });
        return;
      }
      case "limit": {
        const { limits } = this.#environment(record.value.environment).flow;
        limits.set(record.value.name, limitOfFacts(record.value));
        return;
      }
      case "laneRest": {
        const place = this.#queues[record.value.queue];
        if (!place) throw new SnapshotUnreadable(`key ${record.value.key} refers to a queue that is not there`);
        laneOf(place.queue, record.value.key).bucket = bucketOf(record.value.bucket);
        return;
      }
      case "session":
        return this.#takeSession(record.value);
      case "run":
        return this.#takeRun(record.value);
      case "sessionRuns": {
        const session = this.#session(record.value.session);
        for (const number of record.value.runs) session.runs.add(this.#run(number));
        return;
      }
      case "boundRuns": {
        const { environment, version, runs, readyMs } = record.value;
        const bound = new Map(runs.map((number, index) => [this.#run(number), Number(readyMs[index] ?? 0n)]));
        this.#environment(environment).versions.bound.set(version, bound);
        return;
      }
      case "finishedRuns":
        for (const number of record.value.runs) {
          const run = this.#run(number);
          run.retired = true;
          durable.finished.push(run);
        }
        return;
      case "batch": {
        const batch = batchOfFacts(record.value, this.#environment(record.value.environment));
        durable.batches.byNumber.set(batch.number, batch);
        return;
      }
      case "key":
        this.#environment(record.value.environment).keys.restore(keyOfFacts(record.value));
        return;
      case "request":
        return this.#takeRequest(record.value);
      case undefined:
        throw new SnapshotUnreadable("the snapshot holds records of a kind that this version does not know");
    }
  }

  /** The state, once all records are taken. */
  finish(): Restored {
    if (!this.#place || !this.#whole) throw new SnapshotUnreadable("the snapshot is half written");
    this.#begin();
    finishIndexes(this.#durable);
    return { durable: this.#durable, records: this.#records, ...this.#place };
  }

  /** Runs come behind everything that they are put into, and go there one by one: a long backlog would not fit into memory otherwise. */
  #begin(): void {
    if (!this.#begun) clearIndexes(this.#durable);
    this.#begun = true;
  }

  #takeVersion({ environment, version, buildId, createMs, setAside, current }: SnapshotVersion): void {
    const { versions } = this.#environment(environment);
    const record: VersionRecord = { version, buildId, createMs: Number(createMs), index: versions.byNumber.size, setAside };
    versions.byBuild.set(buildId, record);
    versions.byNumber.set(version, record);
    if (current) versions.current = record;
  }

  #takeSession(facts: SnapshotSession): void {
    const environment = this.#environment(facts.environment);
    const session: SessionRecord = {
      number: Number(facts.session),
      environment,
      workerId: facts.workerId,
      incarnation: facts.incarnation,
      version: facts.version,
      milliCpus: facts.capacity?.milliCpus ?? 0,
      memoryMib: facts.capacity?.memoryMib ?? 0,
      runs: new Set(),
      busy: 0,
      usedMilliCpus: 0,
      usedMemoryMib: 0,
    };
    this.#durable.sessions.set(session.number, session);
    if (facts.newest) this.#durable.sessionOf.set(workerKey(environment.name, session.workerId), session);
  }

  #takeRun(facts: SnapshotRun): void {
    const place = this.#queues[facts.queue];
    const taskId = this.#texts[facts.task];
    const version = facts.version === 0 ? "" : this.#texts[facts.version - 1];
    if (!place || taskId === undefined || version === undefined) throw new SnapshotUnreadable(`run ${facts.run} refers to something that is not there`);
    const session = facts.session === 0n ? undefined : this.#session(facts.session);
    const run = runOfFacts(facts, { queue: place.queue, environment: place.environment, taskId, version, session });
    this.#begin();
    if (facts.more?.collects && run.extras) run.environment.debounces.set(debounceKeyOf(taskId, run.extras.debounceKey), run);
    // What a run holds follows from its phase.
    if (phases[run.phase].worker && session) {
      session.busy += 1;
      session.usedMilliCpus += run.machine?.milliCpus ?? 0;
      session.usedMemoryMib += run.machine?.memoryMib ?? 0;
    }
    const { runs } = this.#durable;
    indexRun(this.#durable, run);
    // Those of a long backlog were packed at once, and are in no map.
    if (!runs.packed.has(run.number)) runs.set(run.number, run);
  }

  #takeRequest({ key, timeMs, created }: SnapshotRequest): void {
    if (!created) throw new SnapshotUnreadable("the snapshot has a request that created nothing");
    this.#durable.requests.set(key, createdOf(created));
    this.#durable.requestOrder.push({ key, timeMs: Number(timeMs) });
  }

  #environment(index: number): Environment {
    const environment = this.#environments[index];
    if (!environment) throw new SnapshotUnreadable(`the snapshot has no environment ${index}`);
    return environment;
  }

  #session(number: bigint): SessionRecord {
    const session = this.#durable.sessions.get(Number(number));
    if (!session) throw new SnapshotUnreadable(`the snapshot has no session ${number}`);
    return session;
  }

  #run(number: bigint): RunRecord {
    const run = this.#durable.runs.get(Number(number));
    if (!run) throw new SnapshotUnreadable(`the snapshot has no run ${number}`);
    return run;
  }
}
