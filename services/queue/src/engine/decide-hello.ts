import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type HeldAttempt, type Hello, WelcomeSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { decideDeclarations } from "./decide-declarations.js";
import { decideLost, decideSessionEnd } from "./decide-lost.js";
import { workerKey } from "./durable.js";
import { sendCancel, sendResume } from "./effects.js";
import type { Environment } from "./environment.js";
import { runsAccepted, sessionOpened, versionCreated } from "./events.js";
import { machineFault } from "./machine.js";
import { phases } from "./phase.js";
import { forgetSupply } from "./room.js";
import type { RunRecord } from "./run-record.js";
import type { SessionRecord } from "./session-record.js";
import { emit, type Step } from "./step.js";
import { matchesToken, runOfToken } from "./token.js";
import type { Connection } from "./volatile.js";

/** How often a worker proves that it lives. */
export const heartbeatMs = 1_000;

/** Protocol revision of this server. */
const revision = 1;

/**
 * More assignments than one record of the log can hold. The epoch is a record's sequence: numbers that begin at this many times the epoch are greater than all of earlier epochs. A worker that names
 * the highest number that it has seen, perhaps on an earlier stream or from an earlier owner, so never claims to have an assignment that is still on its way to it.
 */
const assignmentsPerRecord = 2 ** 20;

/** Where a Hello came from. */
export interface HelloSource {
  readonly environment: Environment;
  readonly streamId: string;
  readonly executor: string;
  readonly leaseMs: number;
}

/** Opens, resumes or resynchronises a session. */
export function decideHello(step: Step, hello: Hello, source: HelloSource): void {
  const { durable, volatile } = step;
  const { environment, streamId, executor } = source;
  const before = durable.sessionOf.get(workerKey(environment.name, hello.workerId));
  if (before && before.incarnation > hello.incarnation) {
    step.outbox.ends.push({
      executor,
      streamId,
      reason: "SESSION_SUPERSEDED",
      message: `worker ${hello.workerId} has a newer life (incarnation ${before.incarnation}); this one (${hello.incarnation}) must end`,
    });
    return;
  }
  const fault = hello.tasks.map(({ machine }) => machineFault(machine)).find((message) => message !== undefined);
  if (fault) {
    step.outbox.ends.push({ executor, streamId, reason: "INVALID_FIELD", message: `hello.tasks: ${fault}` });
    return;
  }
  const version = declare(step, environment, hello);
  let session = before;
  if (before && before.incarnation < hello.incarnation) {
    decideSessionEnd(step, before, "the worker that executed the attempt has ended, and another life of it has begun");
    session = undefined;
  }
  if (!session) {
    const { workerId, incarnation, capacity } = hello;
    emit(step, sessionOpened({ session: durable.nextSession, environment: environment.name, workerId, incarnation, version, capacity }));
    session = durable.sessionOf.get(workerKey(environment.name, hello.workerId)) as SessionRecord;
  }
  const connection = connect(step, session, hello, source);
  step.outbox.frame(connection, 200).welcome = create(WelcomeSchema, {
    protocolRevision: Math.min(revision, hello.protocolRevision),
    sessionId: `session_${session.number}`,
    heartbeatInterval: durationFromMs(heartbeatMs),
    leaseDuration: durationFromMs(source.leaseMs),
    version: session.version,
    environment: environment.name,
  });
  reconcile(step, connection, hello.held, () => true);
  for (const run of session.runs) if (phases[run.phase].final) sendCancel(step, run);
  volatile.freed.add(connection);
}

/**
 * Compares what a worker holds with what it was given: what it was given and does not hold is taken back, of what it holds and was not given it is told. `delivered` says whether an assignment
 * that is not accepted must have arrived.
 */
export function reconcile(step: Step, connection: Connection, held: readonly HeldAttempt[], delivered: (run: RunRecord) => boolean): void {
  const present = new Set<RunRecord>();
  const accepted: RunRecord[] = [];
  for (const { token, openWaits } of held) {
    const run = heldRun(step, connection.session, token);
    if (!run) {
      step.outbox.frame(connection).lost.push(token);
      continue;
    }
    present.add(run);
    if (run.phase === "assigned") accepted.push(run);
    for (const waitId of openWaits) if (run.waits?.get(waitId)?.delivered) sendResume(step, run, waitId);
  }
  if (accepted.length > 0) emit(step, runsAccepted(accepted));
  for (const run of [...connection.session.runs]) {
    if (present.has(run) || (run.phase === "assigned" && !delivered(run))) continue;
    decideLost(step, run, "the worker no longer holds the attempt");
  }
}

/** The run whose present attempt has this token and belongs to the session. */
export function heldRun(step: Step, session: SessionRecord, token: Uint8Array): RunRecord | undefined {
  const number = runOfToken(token);
  const run = number === undefined ? undefined : step.durable.runs.get(number);
  return run && run.session === session && matchesToken(run, token) ? run : undefined;
}

function connect(step: Step, session: SessionRecord, hello: Hello, { streamId, executor }: HelloSource): Connection {
  const { volatile } = step;
  const before = volatile.connections.get(session);
  if (before) {
    before.open = false;
    volatile.streams.delete(before.streamId);
    if (before.streamId !== streamId) {
      step.outbox.ends.push({
        executor: before.executor,
        streamId: before.streamId,
        reason: "SESSION_SUPERSEDED",
        message: "the worker has opened another stream for this session",
      });
    }
  }
  const connection: Connection = {
    session,
    streamId,
    executor,
    declarations: { tasks: hello.tasks, queues: hello.queues, limits: hello.concurrencyLimits },
    tasks: new Set(hello.tasks.map((task) => task.id)),
    taskIds: hello.tasks.map((task) => task.id),
    slots: hello.slots,
    journal: hello.capabilities.includes("journal"),
    exhausted: new Set(),
    open: true,
    draining: false,
    assignments: before?.assignments ?? Number(step.epoch) * assignmentsPerRecord,
    frames: 0,
    received: 1,
  };
  volatile.connections.set(session, connection);
  volatile.streams.set(streamId, connection);
  volatile.heard.set(session, step.monotonic);
  forgetSupply(volatile, session.environment);
  return connection;
}

/** Notes the worker's build and tasks where they are news. Returns the build's version. */
function declare(step: Step, environment: Environment, hello: Hello): string {
  let version = environment.versions.byBuild.get(hello.buildId)?.version;
  if (version === undefined) {
    version = nextVersion(environment, step.dayOf(step.now));
    emit(step, versionCreated(environment.name, hello.buildId, version));
  }
  decideDeclarations(step, environment, version, { tasks: hello.tasks, queues: hello.queues, limits: hello.concurrencyLimits });
  return version;
}

/** Versions count the builds of a day: YYYYMMDD.N, in UTC. */
function nextVersion(environment: Environment, day: string): string {
  let count = 0;
  for (const version of environment.versions.byNumber.keys()) if (version.startsWith(`${day}.`)) count += 1;
  return `${day}.${count + 1}`;
}
