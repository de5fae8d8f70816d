import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { type MetadataOperation, MetadataTarget, type UpdateRunCommand } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import type { Durable } from "./durable.js";
import { commandAnswered, runUpdated } from "./events.js";
import { MetadataFault } from "./json-path.js";
import { changedMetadata } from "./metadata.js";
import { phases } from "./phase.js";
import { refuseCommand } from "./refuse-command.js";
import type { CommandAnswer, RunRecord } from "./run-record.js";
import { emit, type Step } from "./step.js";
import { newTags } from "./tags.js";
import { runOfToken } from "./token.js";

/** Characters of a tag. */
const tagLength = 128;

/**
 * Changes tags and metadata of a run, its parent and its root: all of it or nothing. What is meant for a parent or root that has ended is left out: it stays as it ended, and a child that
 * goes on must not fail for it.
 */
export function decideUpdate(step: Step, run: RunRecord, commandId: number, { addTags, metadata }: UpdateRunCommand): CommandAnswer {
  if (addTags.some((tag) => tag.length > tagLength)) {
    return refuseCommand(step, run, commandId, { reason: "INVALID_FIELD", message: `add_tags: a tag has at most ${tagLength} characters` });
  }
  const changes = new Map<RunRecord, { tags?: string[]; metadata?: Payload }>();
  try {
    for (const [target, operations] of byTarget(step.durable, run, metadata)) {
      changes.set(target, { metadata: changedMetadata(target.extras?.metadata, operations) });
    }
  } catch (error) {
    if (!(error instanceof MetadataFault)) throw error;
    return refuseCommand(step, run, commandId, { reason: "INVALID_FIELD", message: `metadata: ${error.message}` });
  }
  const before = run.extras?.tags ?? [];
  const tags = newTags(before, addTags);
  if (tags.length > before.length) changes.set(run, { ...changes.get(run), tags });
  for (const [target, change] of changes) emit(step, runUpdated(target, change, run, commandId));
  if (changes.size === 0) emit(step, commandAnswered(run, commandId, undefined));
  return { kind: "done" };
}

/** About how many bytes the events of a command will hold: metadata is logged as it is afterwards. */
export function updateBytes(durable: Durable, token: Uint8Array, { metadata }: UpdateRunCommand): number {
  const run = durable.runs.get(runOfToken(token) ?? 0);
  let bytes = 100;
  for (const { operation } of metadata) bytes += typeof operation.value === "string" ? operation.value.length : 16;
  if (run) for (const target of byTarget(durable, run, metadata).keys()) bytes += target.extras?.metadata?.data.length ?? 0;
  return bytes;
}

function byTarget(durable: Durable, run: RunRecord, operations: readonly MetadataOperation[]): Map<RunRecord, MetadataOperation[]> {
  const targets = new Map<RunRecord, MetadataOperation[]>();
  for (const operation of operations) {
    const target = targetOf(durable, run, operation.target);
    if (!target) continue;
    const others = targets.get(target);
    if (others) others.push(operation);
    else targets.set(target, [operation]);
  }
  return targets;
}

function targetOf(durable: Durable, run: RunRecord, target: MetadataTarget): RunRecord | undefined {
  const number = target === MetadataTarget.PARENT ? run.parent : target === MetadataTarget.ROOT ? run.root : 0;
  if (number === 0) return run;
  const other = durable.runs.get(number);
  return other && !phases[other.phase].final ? other : undefined;
}
