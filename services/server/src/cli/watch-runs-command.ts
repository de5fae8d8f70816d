import type { Client } from "@connectrpc/connect";
import { type Run, RunState } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import type { RunService, RunWatch } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { connected } from "./connected.js";
import { CommandFailure, type ExitCode, exitCode, usageFailure } from "./exit-code.js";
import { filterOf, isFiltered, type RunFilterOptions } from "./list-runs-command.js";
import { progressLine, runToJson } from "./run-view.js";
import { ServerSilence } from "./server-silence.js";

/** Options of `runlane runs watch`. */
export interface WatchRunsOptions extends ClientOptions, RunFilterOptions {
  /** How long to go on without a word from the server, in milliseconds. Default 60,000. */
  silenceMs?: number;
}

type Watched = Partial<Pick<RunWatch, "id" | "runIds" | "filter">>;

/** `runlane runs watch [ids]`: shows runs whenever they change. With ids until all are final, and then says whether all completed; else until it is stopped. */
export async function watchRunsCommand(context: CommandContext, ids: string[], options: WatchRunsOptions): Promise<ExitCode> {
  const filter = filterOf(options);
  if (ids.length > 0 && isFiltered(options)) throw usageFailure("runs are watched by their ids, or by a filter, not by both");
  const watch = ids.length > 0 ? { id: 1, runIds: ids } : { id: 1, filter };
  const open = new Set(ids);
  let completed = true;
  return await connected(context, options, async (server) => {
    for await (const run of changes(server.runs, watch, new ServerSilence({ laterWordMs: options.silenceMs }))) {
      context.terminal.result(options.json ? JSON.stringify(runToJson(run)) : `${run.id}  ${run.taskId.padEnd(16)}  ${progressLine(run)}`);
      if (run.finishTime === undefined || !open.delete(run.id)) continue;
      completed &&= run.state === RunState.COMPLETED;
      if (open.size === 0) break;
    }
    return completed ? exitCode.ok : exitCode.refused;
  });
}

/** Runs as they change, over broken streams. @throws ConnectError what the server refused with; CommandFailure if there is no such run */
async function* changes(runs: Client<typeof RunService>, watch: Watched, silence: ServerSilence): AsyncGenerator<Run, void, undefined> {
  // Leaving the loop over a stream of Connect's client does not end the stream; this does.
  const left = new AbortController();
  let cursor = "";
  try {
    for (;;) {
      try {
        for await (const response of runs.watch({ watches: [watch], cursor }, { signal: left.signal })) {
          silence.broken();
          for (const runId of response.unknownRunIds) throw noSuchRun(runId);
          for (const { run } of response.changes) if (run) yield run;
          if (response.cursor !== "") cursor = response.cursor;
        }
      } catch (error) {
        if (error instanceof CommandFailure) throw error;
        await silence.outlast(error);
      }
    }
  } finally {
    left.abort();
  }
}

function noSuchRun(runId: string): CommandFailure {
  return new CommandFailure(exitCode.refused, `there is no run ${runId}`, { details: { code: "NOT_FOUND", reason: "RUN_NOT_FOUND" } });
}
