import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { type RunFilter, RunFilterSchema } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { periodMs } from "@runlane/sdk/internal";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { connected } from "./connected.js";
import { type ExitCode, readArgument, usageFailure } from "./exit-code.js";
import { runLine, runLineHead, runToJson } from "./run-view.js";

/** Options that say which runs. */
export interface RunFilterOptions {
  status?: string[];
  task?: string[];
  queue?: string[];
  codeVersion?: string[];
  tag?: string[];
  batch?: string[];
  test?: boolean;
  parent?: string;
  root?: string;
  /** "30m", "7d". */
  period?: string;
  /** ISO 8601. */
  from?: string;
  to?: string;
}

/** Options of `runlane runs list`. */
export interface ListRunsOptions extends ClientOptions, RunFilterOptions {
  limit?: number;
  /** Token of a page, or id of a run. */
  after?: string;
  before?: string;
}

/** Runs asked for at once. */
const pageSize = 100;

/** `runlane runs list`: shows runs, newest first, and how to see those behind them. */
export async function listRunsCommand(context: CommandContext, options: ListRunsOptions): Promise<ExitCode> {
  const filter = filterOf(options);
  if (options.after !== undefined && options.before !== undefined) throw usageFailure("--after and --before exclude each other");
  const { terminal } = context;
  return await connected(context, options, async (server) => {
    let left = options.limit ?? 25;
    let place: { afterRunId?: string; beforeRunId?: string; pageToken?: string } = {};
    if (options.after !== undefined) place = { afterRunId: options.after };
    if (options.before !== undefined) place = { beforeRunId: options.before };
    const runs = [];
    let more = false;
    while (left > 0) {
      const page = await server.runs.listRuns({ filter, pageSize: Math.min(left, pageSize), ...place });
      runs.push(...page.runs);
      left -= page.runs.length;
      more = page.nextPageToken !== "";
      // Before a run there is one page: more of it would be those behind it.
      if (!more || options.before !== undefined) break;
      place = { pageToken: page.nextPageToken };
    }
    if (options.json) terminal.result(JSON.stringify({ runs: runs.map(runToJson), ...(more ? { next: runs.at(-1)?.id } : {}) }));
    else if (runs.length === 0) terminal.note("no runs");
    else terminal.result([runLineHead(), ...runs.map(runLine)].join("\n"));
    if (more && !options.json) terminal.note(`more: --after ${runs.at(-1)?.id}`);
  });
}

/** Whether options say which runs. */
export function isFiltered({ status, task, queue, codeVersion, tag, batch, test, parent, root, period, from, to }: RunFilterOptions): boolean {
  return [status, task, queue, codeVersion, tag, batch, test, parent, root, period, from, to].some((condition) => condition !== undefined);
}

/** The filter that options name. @throws CommandFailure for a state that is none, or a time that cannot be read */
export function filterOf(options: RunFilterOptions): RunFilter {
  if (options.period !== undefined && options.from !== undefined) throw usageFailure("--period and --from exclude each other");
  const from = options.period === undefined ? timeOf(options.from, "--from") : Date.now() - periodOf(options.period);
  const to = timeOf(options.to, "--to");
  return create(RunFilterSchema, {
    states: (options.status ?? []).map(stateOf),
    taskIds: options.task ?? [],
    queues: options.queue ?? [],
    versions: options.codeVersion ?? [],
    tags: options.tag ?? [],
    batchIds: options.batch ?? [],
    test: options.test,
    parentRunId: options.parent ?? "",
    rootRunId: options.root ?? "",
    createTimeFrom: from === undefined ? undefined : timestampFromMs(from),
    createTimeTo: to === undefined ? undefined : timestampFromMs(to),
  });
}

function stateOf(text: string): RunState {
  const state = RunState[text.toUpperCase() as keyof typeof RunState];
  if (typeof state === "number" && state !== RunState.UNSPECIFIED) return state;
  const names = Object.keys(RunState).filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED");
  throw usageFailure(`--status ${text} is none of ${names.join(", ")}`);
}

function timeOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw usageFailure(`${option} ${text} is no time; write it as ${new Date(0).toISOString()}`);
  return ms;
}

function periodOf(text: string): number {
  return readArgument(() => periodMs(text));
}
