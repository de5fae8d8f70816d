import type { Run } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { withStoredValues } from "@runlane/sdk/internal";
import type { ClientOptions, CommandContext, ServerConnection } from "./command-context.js";
import { connected } from "./connected.js";
import { CommandFailure, type ExitCode, exitCode } from "./exit-code.js";
import { runDetails, runToJson } from "./run-view.js";

/** `runlane runs get <id>`: shows a run. */
export async function getRunCommand(context: CommandContext, runId: string, options: ClientOptions): Promise<ExitCode> {
  return await show(context, options, async (server) => (await server.runs.getRun({ runId })).run);
}

/** Options of `runlane runs cancel`. */
export interface CancelRunOptions extends ClientOptions {
  reason?: string;
}

/** `runlane runs cancel <id>`: cancels a run and the runs that it triggered. */
export async function cancelRunCommand(context: CommandContext, runId: string, options: CancelRunOptions): Promise<ExitCode> {
  return await show(context, options, async (server) => (await server.runs.cancelRun({ runId, reason: options.reason })).run);
}

async function show(context: CommandContext, options: ClientOptions, ask: (server: ServerConnection) => Promise<Run | undefined>): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const run = await ask(server);
    if (run === undefined) throw new CommandFailure(exitCode.defect, "the server answered without a run");
    const whole = await withStoredValues(run, server.payloads);
    context.terminal.result(options.json ? JSON.stringify(runToJson(whole)) : runDetails(whole));
  });
}
