import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { RunFilter } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { batchNumberOf, runNumberOf } from "../engine/run-id.js";
import type { HistoryRow } from "./history-row.js";
import type { RowContext } from "./run-message.js";

/** A filter in the numbers of rows. An undefined condition is always fulfilled; an empty list never. */
export interface RowFilter {
  readonly environment: number;
  readonly states: ReadonlySet<RunState> | undefined;
  readonly tasks: ReadonlySet<number> | undefined;
  readonly versions: ReadonlySet<number> | undefined;
  readonly queues: ReadonlySet<number> | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  readonly parent: number | undefined;
  readonly root: number | undefined;
  readonly tags: ReadonlySet<string> | undefined;
  readonly numbers: ReadonlySet<number> | undefined;
  readonly batches: ReadonlySet<number> | undefined;
  readonly test: boolean | undefined;
}

/**
 * Translates a filter.
 *
 * @param nameOf gives a text its number. For watches this must be `idOf`, because a name may come into use later; for lists `find` will do
 */
export function rowFilter(environmentName: string, filter: RunFilter | undefined, context: RowContext, nameOf: (text: string) => number): RowFilter {
  const environment = context.names.find(environmentName);
  const tag = context.tags.get(environment) ?? "";
  const numberOf = (id: string) => runNumberOf({ tag }, id) ?? -1;
  const named = (texts: readonly string[]) => (texts.length > 0 ? new Set(texts.map((text) => nameOf(text))) : undefined);
  return {
    environment,
    states: filter && filter.states.length > 0 ? new Set(filter.states) : undefined,
    tasks: named(filter?.taskIds ?? []),
    versions: named(filter?.versions ?? []),
    queues: named(filter?.queues ?? []),
    fromMs: msOf(filter?.createTimeFrom) ?? 0,
    toMs: msOf(filter?.createTimeTo) ?? Number.MAX_SAFE_INTEGER,
    parent: filter?.parentRunId ? numberOf(filter.parentRunId) : undefined,
    root: filter?.rootRunId ? numberOf(filter.rootRunId) : undefined,
    tags: filter && filter.tags.length > 0 ? new Set(filter.tags) : undefined,
    numbers: filter && filter.runIds.length > 0 ? new Set(filter.runIds.map(numberOf)) : undefined,
    batches: filter && filter.batchIds.length > 0 ? new Set(filter.batchIds.map((id) => batchNumberOf({ tag }, id) ?? -1)) : undefined,
    test: filter?.test,
  };
}

/** Whether a row fulfils a filter. */
export function fulfils(row: HistoryRow, filter: RowFilter): boolean {
  return (
    row.environment === filter.environment &&
    (filter.states === undefined || filter.states.has(row.state)) &&
    (filter.tasks === undefined || filter.tasks.has(row.task)) &&
    (filter.versions === undefined || filter.versions.has(row.version)) &&
    (filter.queues === undefined || filter.queues.has(row.queue)) &&
    row.createMs >= filter.fromMs &&
    row.createMs <= filter.toMs &&
    (filter.parent === undefined || filter.parent === row.parent) &&
    (filter.root === undefined || filter.root === row.root) &&
    (filter.tags === undefined || row.tags.some((tag) => filter.tags?.has(tag))) &&
    (filter.numbers === undefined || filter.numbers.has(row.number)) &&
    (filter.batches === undefined || filter.batches.has(row.batch)) &&
    (filter.test === undefined || filter.test === row.test)
  );
}

function msOf(time: Timestamp | undefined): number | undefined {
  return time && timestampMs(time);
}
