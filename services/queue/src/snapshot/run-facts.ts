import type { RunSettings } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { SnapshotCommand, SnapshotRun, SnapshotRunMore, SnapshotWaiter } from "@runlane/platform/gen/runlane/internal/v1/snapshot_pb.js";
import { debounceKeyOf } from "../engine/environment.js";
import { createLane } from "../engine/lane.js";
import { createLimit } from "../engine/limit-record.js";
import type { Machine } from "../engine/machine.js";
import { machines } from "../engine/machine.js";
import { joinLimits } from "../engine/membership.js";
import type { QueueRecord } from "../engine/queue-record.js";
import type { CommandAnswer, RunExtras, RunRecord, Waiter } from "../engine/run-record.js";
import type { SessionRecord } from "../engine/session-record.js";
import { createdFacts, createdOf, refusalFacts, refusalOf } from "./created-facts.js";
import { phaseNumbers, phasesByNumber } from "./snapshot-phase.js";
import { SnapshotUnreadable } from "./snapshot-unreadable.js";
import { journalFacts, journalOf, waitFacts, waitOf } from "./wait-facts.js";

/** What a run's record says by index: its queue, its task, and its version plus 1 or 0 for none. */
export interface RunIndexes {
  readonly queue: number;
  readonly task: number;
  readonly version: number;
}

/** What the indexes and numbers of a run's record mean. */
export interface RunRelations {
  readonly queue: QueueRecord;
  readonly environment: RunRecord["environment"];
  readonly taskId: string;
  readonly version: string;
  readonly session: SessionRecord | undefined;
}

/** A run as a snapshot says it. What follows from its phase (slots, places in lists) is not said. */
export function runFacts(run: RunRecord, { queue, task, version }: RunIndexes): SnapshotRun {
  const facts: SnapshotRun = {
    $typeName: "runlane.internal.v1.SnapshotRun",
    run: BigInt(run.number),
    queue,
    task,
    phase: phaseNumbers[run.phase],
    maxAttempts: run.maxAttempts,
    createMs: BigInt(run.createMs),
    attempt: run.attempt,
    startMs: BigInt(run.startMs),
    finishMs: BigInt(run.finishMs),
    version,
    session: BigInt(run.session?.number ?? 0),
    epoch: run.epoch,
    nonce: run.nonce,
  };
  if (run.payload) facts.payload = run.payload;
  if (run.output) facts.output = run.output;
  const more = moreFacts(run);
  if (more) facts.more = more;
  return facts;
}

/** The run that a snapshot says. */
export function runOfFacts(facts: SnapshotRun, { queue, environment, taskId, version, session }: RunRelations): RunRecord {
  const { more } = facts;
  const phase = phasesByNumber.get(facts.phase);
  if (!phase) throw new SnapshotUnreadable(`run ${facts.run} is in phase ${facts.phase}, which this version does not know`);
  return {
    number: Number(facts.run),
    environment,
    taskId,
    queue,
    queueNamed: more?.queueNamed ?? false,
    // Only their names count: whoever makes the indexes puts the run where it belongs.
    lane: createLane(queue, more?.settings?.concurrencyKey ?? ""),
    slots: more && more.limits.length > 0 ? joinLimits(createLane(queue, ""), more.limits.map(createLimit)) : undefined,
    orderMs: Number(more?.orderMs ?? facts.createMs),
    tokens: more?.tokens ?? 0,
    list: undefined,
    phase,
    attempt: facts.attempt,
    askedAttempts: more?.askedAttempts ?? 0,
    maxAttempts: facts.maxAttempts,
    payload: facts.payload,
    createMs: Number(facts.createMs),
    queueMs: Number(more?.queueMs || facts.createMs),
    startMs: Number(facts.startMs),
    finishMs: Number(facts.finishMs),
    retryAtMs: Number(more?.retryAtMs ?? 0),
    version,
    askedVersion: more?.askedVersion ?? "",
    machine: machineOf(more?.machine ?? ""),
    maxDurationSeconds: more?.maxDurationSeconds ?? 0,
    extras: more?.settings && extrasOf(more.settings, more),
    session,
    epoch: facts.epoch,
    nonce: facts.nonce,
    ownProcess: more?.ownProcess ?? false,
    output: facts.output,
    failure: more?.failure,
    parent: Number(more?.parent ?? 0),
    root: Number(more?.root ?? 0),
    depth: more?.depth ?? 0,
    guardian: Number(more?.guardian ?? 0),
    children: more?.children?.runs.map(Number),
    waiter: more && waiterOf(more.waiters),
    // Said where the finished runs are.
    retired: false,
    waits: more?.waits && new Map(more.waits.waits.map((wait) => [wait.waitId, waitOf(wait)])),
    commands: more?.commands && new Map(more.commands.commands.map((command) => [command.commandId, answerOf(command)])),
    journal: more?.journal && journalOf(more.journal),
  };
}

function moreFacts(run: RunRecord): SnapshotRunMore | undefined {
  const { queueNamed, askedAttempts, retryAtMs, askedVersion, machine, maxDurationSeconds, extras, ownProcess, failure, slots, tokens } = run;
  const orderMs = run.orderMs === run.createMs ? undefined : BigInt(run.orderMs);
  const { parent, root, depth, children, waiter, waits, commands, journal } = run;
  const asked = queueNamed || askedAttempts > 0 || askedVersion !== "" || machine !== undefined || maxDurationSeconds > 0 || extras !== undefined;
  const related = parent > 0 || children !== undefined || waiter !== undefined || waits !== undefined || commands !== undefined || journal !== undefined;
  const flow = slots !== undefined || tokens > 0 || orderMs !== undefined || run.queueMs !== run.createMs;
  if (!asked && !related && !flow && !ownProcess && failure === undefined && retryAtMs === 0) return undefined;
  return {
    $typeName: "runlane.internal.v1.SnapshotRunMore",
    queueNamed,
    askedAttempts,
    retryAtMs: BigInt(retryAtMs),
    askedVersion,
    machine: machine?.name ?? "",
    maxDurationSeconds,
    ...(extras && { settings: settingsFacts(extras) }),
    ownProcess,
    tokens,
    limits: slots?.map(({ limit }) => limit.name) ?? [],
    ...(orderMs !== undefined && { orderMs }),
    ...(failure && { failure }),
    parent: BigInt(parent),
    root: BigInt(root),
    depth,
    ...(children && { children: { $typeName: "runlane.internal.v1.SnapshotRunNumbers", runs: children.map(BigInt) } }),
    waiters: waiterFacts(run.waiter),
    ...(waits && { waits: { $typeName: "runlane.internal.v1.SnapshotWaits", waits: [...waits].map(([id, wait]) => waitFacts(id, wait)) } }),
    ...(commands && {
      commands: { $typeName: "runlane.internal.v1.SnapshotCommands", commands: [...commands].map(([id, answer]) => answerFacts(id, answer)) },
    }),
    queueMs: BigInt(run.queueMs === run.createMs ? 0 : run.queueMs),
    guardian: BigInt(run.guardian),
    ttlSeconds: extras?.ttlSeconds ?? 0,
    expireMs: BigInt(extras?.expireMs ?? 0),
    batch: BigInt(extras?.batch ?? 0),
    foundIn: extras?.foundIn?.map(BigInt) ?? [],
    collects: collects(run),
    activeMs: BigInt(extras?.activeMs ?? 0),
    ...(journal && { journal: journalFacts(journal) }),
  };
}

/** The first of a list of waiters. */
function waiterOf(waiters: readonly SnapshotWaiter[]): Waiter | undefined {
  let next: Waiter | undefined;
  for (const { run, attempt, waitId } of [...waiters].reverse()) next = { run: Number(run), attempt, waitId, next };
  return next;
}

function waiterFacts(first: Waiter | undefined): SnapshotWaiter[] {
  const waiters: SnapshotWaiter[] = [];
  for (let waiter = first; waiter; waiter = waiter.next) {
    const { run, attempt, waitId } = waiter;
    waiters.push({ $typeName: "runlane.internal.v1.SnapshotWaiter", run: BigInt(run), attempt, waitId });
  }
  return waiters;
}

/** Whether a run collects the triggers of its debounce key. */
function collects({ environment, taskId, extras, number }: RunRecord): boolean {
  return extras !== undefined && extras.debounceKey !== "" && environment.debounces.get(debounceKeyOf(taskId, extras.debounceKey))?.number === number;
}

function machineOf(name: string): Machine | undefined {
  const machine = machines.get(name);
  if (name !== "" && !machine) throw new SnapshotUnreadable(`there is no machine ${name}, which a run has`);
  return machine;
}

function settingsFacts(extras: RunExtras): RunSettings {
  const { tags, metadata, askedMachine, askedDurationSeconds, askedTtlSeconds, idempotency, debounceKey, priorityMs, replayOf } = extras;
  return {
    $typeName: "runlane.internal.v1.RunSettings",
    tags: [...tags],
    ...(metadata && { metadata }),
    machine: askedMachine,
    ...(askedDurationSeconds !== undefined && { maxDurationSeconds: askedDurationSeconds }),
    version: "",
    delayUntilMs: 0n,
    concurrencyKey: extras.concurrencyKey,
    ...(askedTtlSeconds !== undefined && { ttlSeconds: askedTtlSeconds }),
    ...(idempotency && { idempotency }),
    ...(debounceKey !== "" && { debounce: { $typeName: "runlane.internal.v1.DebounceSetting", key: debounceKey } }),
    priorityMs: BigInt(priorityMs),
    weight: extras.weight,
    ...(extras.askedLimits && { concurrencyLimits: { $typeName: "runlane.v1.ConcurrencyLimitNames", names: [...extras.askedLimits] } }),
    test: extras.test,
    replayOf: BigInt(replayOf),
  };
}

function extrasOf(settings: RunSettings, { ttlSeconds, expireMs, batch, foundIn, activeMs }: SnapshotRunMore): RunExtras {
  const { tags, metadata, machine, maxDurationSeconds, idempotency, debounce, concurrencyKey, priorityMs, weight, concurrencyLimits, test, replayOf } =
    settings;
  return {
    tags,
    metadata,
    askedMachine: machine,
    askedDurationSeconds: maxDurationSeconds,
    askedTtlSeconds: settings.ttlSeconds,
    ttlSeconds,
    expireMs: Number(expireMs),
    idempotency,
    debounceKey: debounce?.key ?? "",
    concurrencyKey,
    priorityMs: Number(priorityMs),
    weight,
    askedLimits: concurrencyLimits?.names,
    test,
    replayOf: Number(replayOf),
    activeMs: Number(activeMs),
    batch: Number(batch),
    foundIn: foundIn.length > 0 ? foundIn.map(Number) : undefined,
  };
}

function answerFacts(commandId: number, answer: CommandAnswer): SnapshotCommand {
  const $typeName = "runlane.internal.v1.SnapshotCommand";
  switch (answer.kind) {
    case "done":
      return { $typeName, commandId, answer: { case: undefined } };
    case "created":
      return { $typeName, commandId, answer: { case: "created", value: createdFacts(answer.created) } };
    case "refused":
      return { $typeName, commandId, answer: { case: "refusal", value: refusalFacts(answer.refusal) } };
  }
}

function answerOf({ answer }: SnapshotCommand): CommandAnswer {
  if (answer.case === "created") return { kind: "created", created: createdOf(answer.value) };
  return answer.case === "refusal" ? { kind: "refused", refusal: refusalOf(answer.value) } : { kind: "done" };
}
