import { setTimeout as sleep } from "node:timers/promises";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { type Run, RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import type { RunService, RunWatch } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { retryDelayOf } from "@runlane/sdk/internal";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { CommandFailure, type ExitCode, exitCode, usageFailure } from "./exit-code.js";
import { filterOf, type RunFilterOptions } from "./list-runs-command.js";
import { progressLine, runToJson } from "./run-view.js";

/** Options of `runlane runs watch`. */
export interface WatchRunsOptions extends ClientOptions, RunFilterOptions {
  /** How long to go on without a word from the server, in milliseconds. Default 60,000. */
  silenceMs?: number;
}

type Watched = Partial<Pick<RunWatch, "id" | "runIds" | "filter">>;

/** How long the server may be away before it has answered. */
const firstWordMs = 5_000;
const pauseMs = 250;

/** `runlane runs watch [ids]`: shows runs whenever they change. With ids until all are final, and then says whether all completed; else until it is stopped. */
export async function watchRunsCommand(context: CommandContext, ids: string[], options: WatchRunsOptions): Promise<ExitCode> {
  const filter = filterOf(options);
  const filtered = [options.status, options.task, options.queue, options.codeVersion, options.parent, options.root, options.period, options.from, options.to];
  if (ids.length > 0 && filtered.some((condition) => condition !== undefined)) throw usageFailure("runs are watched by their ids, or by a filter, not by both");
  const watch = ids.length > 0 ? { id: 1, runIds: ids } : { id: 1, filter };
  const open = new Set(ids);
  let completed = true;
  const server = await context.connect(options.address);
  try {
    for await (const run of changes(server.runs, watch, options.silenceMs ?? 60_000)) {
      context.terminal.result(options.json ? JSON.stringify(runToJson(run)) : `${run.id}  ${run.taskId.padEnd(16)}  ${progressLine(run)}`);
      if (run.finishTime === undefined || !open.delete(run.id)) continue;
      completed &&= run.state === RunState.COMPLETED;
      if (open.size === 0) break;
    }
    return completed ? exitCode.ok : exitCode.refused;
  } finally {
    server.close();
  }
}

/** Runs as they change, over broken streams. @throws ConnectError what the server refused with; CommandFailure if there is no such run */
async function* changes(runs: Client<typeof RunService>, watch: Watched, silenceMs: number): AsyncGenerator<Run, void, undefined> {
  // Leaving the loop over a stream of Connect's client does not end the stream; this does.
  const left = new AbortController();
  let cursor = "";
  let lastWord = performance.now();
  let known = false;
  try {
    for (;;) {
      try {
        for await (const response of runs.watch({ watches: [watch], cursor }, { signal: left.signal })) {
          lastWord = performance.now();
          known = true;
          for (const runId of response.unknownRunIds) throw noSuchRun(runId);
          for (const { run } of response.changes) if (run) yield run;
          if (response.cursor !== "") cursor = response.cursor;
        }
      } catch (error) {
        if (error instanceof CommandFailure) throw error;
        const failure = ConnectError.from(error);
        if (failure.code !== Code.Unavailable || performance.now() - lastWord > (known ? silenceMs : firstWordMs)) throw failure;
        await sleep(Math.max(pauseMs, retryDelayOf(failure) ?? 0));
      }
    }
  } finally {
    left.abort();
  }
}

function noSuchRun(runId: string): CommandFailure {
  return new CommandFailure(exitCode.refused, `there is no run ${runId}`, { details: { code: "NOT_FOUND", reason: "RUN_NOT_FOUND" } });
}
