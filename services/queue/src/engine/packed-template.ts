import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { createExtras, type RunExtras, type RunRecord } from "./run-record.js";

/** What packed runs have in common with many others, beside their list. */
export interface PackedTemplate {
  readonly queueNamed: boolean;
  readonly askedAttempts: number;
  readonly maxAttempts: number;
  readonly maxDurationSeconds: number;
  /** That of its payload; undefined: it has none, or none that is packed. */
  readonly contentType: string | undefined;
  /** It has extras, if only a key, a priority and a batch. */
  readonly hasExtras: boolean;
}

/** What few packed runs have. */
export interface PackedMore {
  /** Undefined if they are no more than a key, a priority and a batch. */
  readonly extras: RunExtras | undefined;
  /** Undefined if it entered its queue when it was created. */
  readonly queueMs: number | undefined;
  /** One that is elsewhere, or says how it is encoded. */
  readonly payload: Payload | undefined;
  readonly parent: number;
  readonly root: number;
  readonly depth: number;
  readonly guardian: number;
}

/** Whether a run has nothing that a packed one cannot have: nothing came of it, nobody waits for it, and nothing but its turn will move it. */
export function isPlain(run: RunRecord): boolean {
  return (
    run.attempt === 0 &&
    run.epoch === 0n &&
    run.version === "" &&
    run.askedVersion === "" &&
    run.retryAtMs === 0 &&
    run.startMs === 0 &&
    run.tokens === 0 &&
    !run.ownProcess &&
    run.children === undefined &&
    run.waiter === undefined &&
    run.waits === undefined &&
    run.commands === undefined &&
    run.journal === undefined &&
    run.failure === undefined &&
    run.output === undefined &&
    !run.extras?.expireMs
  );
}

/** The greatest number of a batch that a packed run has without more. */
const mostBatch = 0xffff_ffff;

/** A run as it is packed. */
export interface TakenApart {
  readonly template: PackedTemplate;
  /** Number of its batch; 0: none, or `more` says it. */
  readonly batch: number;
  readonly more: PackedMore | undefined;
}

/** Takes a run apart. `last`: a template that it probably has, because runs come in crowds. */
export function templateOf(run: RunRecord, last: PackedTemplate | undefined): TakenApart {
  const { extras, payload, parent, root, depth, guardian, queueNamed, askedAttempts, maxAttempts, maxDurationSeconds } = run;
  const rareExtras = extras !== undefined && !isCommon(extras) ? extras : undefined;
  const rarePayload = payload !== undefined && (payload.reference !== undefined || hasMetadata(payload)) ? payload : undefined;
  const queueMs = run.queueMs === run.createMs ? undefined : run.queueMs;
  const rare = rareExtras !== undefined || rarePayload !== undefined || queueMs !== undefined || parent !== 0 || guardian !== 0 || depth !== 0;
  const contentType = rarePayload ? undefined : payload?.contentType;
  const hasExtras = extras !== undefined;
  const same =
    last !== undefined &&
    last.queueNamed === queueNamed &&
    last.askedAttempts === askedAttempts &&
    last.maxAttempts === maxAttempts &&
    last.maxDurationSeconds === maxDurationSeconds &&
    last.contentType === contentType &&
    last.hasExtras === hasExtras;
  return {
    template: same ? last : { queueNamed, askedAttempts, maxAttempts, maxDurationSeconds, contentType, hasExtras },
    batch: rareExtras ? 0 : (extras?.batch ?? 0),
    more: rare ? { extras: rareExtras, queueMs, payload: rarePayload, parent, root, depth, guardian } : undefined,
  };
}

function hasMetadata({ metadata }: Payload): boolean {
  for (const _ in metadata) return true;
  return false;
}

/** The same for the same templates. */
export function templateKeyOf({ queueNamed, askedAttempts, maxAttempts, maxDurationSeconds, contentType, hasExtras }: PackedTemplate): string {
  return `${queueNamed ? 1 : 0}${hasExtras ? 1 : 0} ${askedAttempts} ${maxAttempts} ${maxDurationSeconds} ${contentType === undefined ? "" : `${contentType}!`}`;
}

const plainExtras = createExtras();
const fields = Object.keys(plainExtras) as (keyof RunExtras)[];

/** Whether extras say nothing but a key, which the list says too, a priority, which the order says too, and a batch: whoever triggers many at once triggers batches. */
function isCommon(extras: RunExtras): boolean {
  for (const field of fields) {
    if (field === "concurrencyKey" || field === "priorityMs") continue;
    if (field === "batch") {
      if (extras.batch > mostBatch) return false;
    } else if (field === "tags" ? extras.tags.length > 0 : extras[field] !== plainExtras[field]) return false;
  }
  return true;
}
