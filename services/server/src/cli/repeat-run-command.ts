import { randomUUID } from "node:crypto";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { delayOption } from "@runlane/sdk/internal";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { connected } from "./connected.js";
import { type ExitCode, readArgument } from "./exit-code.js";
import { runToJson } from "./run-view.js";

/** `runlane runs replay <id>`: triggers a run again, and prints the id of the new one. */
export async function replayRunCommand(context: CommandContext, runId: string, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const { runId: id } = await server.runs.replayRun({ requestId: randomUUID(), runId });
    context.terminal.result(options.json ? JSON.stringify({ id }) : id);
  });
}

/** `runlane runs reschedule <id> <delay>`: gives a delayed run another time. */
export async function rescheduleRunCommand(context: CommandContext, runId: string, delay: string, options: ClientOptions): Promise<ExitCode> {
  const wireDelay = delayOf("the delay", delay);
  return await connected(context, options, async (server) => {
    const { run } = await server.runs.rescheduleRun({ runId, delay: wireDelay });
    const due = run?.queueTime ? timestampDate(run.queueTime).toISOString() : "at once";
    context.terminal.result(options.json ? JSON.stringify(run && runToJson(run)) : `Run ${runId} enters its queue ${due}.`);
  });
}

/** A delay of the command line, as contracts have it. @throws CommandFailure for what is none */
export function delayOf(where: string, text: string): ReturnType<typeof delayOption> {
  return readArgument(() => delayOption(where, text));
}
