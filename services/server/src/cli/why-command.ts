import { timestampDate } from "@bufbuild/protobuf/wkt";
import { PendingReason } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import type { ExplainRunResponse } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { connected } from "./connected.js";
import type { ExitCode } from "./exit-code.js";
import { stateName } from "./run-view.js";
import { labelled } from "./table.js";

/** `runlane runs why <id>`: says why a run does not execute, where it stands, and what would release it. */
export async function whyCommand(context: CommandContext, runId: string, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const answer = await server.runs.explainRun({ runId });
    context.terminal.result(options.json ? JSON.stringify(whyToJson(answer)) : whyText(answer));
  });
}

function whyText({ run, message, remedy, position, limit, held, dueTime }: ExplainRunResponse): string {
  return labelled([
    ["run", run?.id ?? ""],
    ["state", run ? stateName(run.state) : ""],
    ["queue", run?.queue ?? ""],
    ["why", message],
    ["slots", limit === undefined ? "" : `${held ?? 0} of ${limit} taken`],
    ["position", position > 0n ? String(position) : ""],
    ["at", dueTime ? timestampDate(dueTime).toISOString() : ""],
    ["remedy", remedy],
  ]);
}

/** The same for programs; what is not known is left out. */
function whyToJson({ run, reason, message, remedy, position, subject, limit, held, dueTime }: ExplainRunResponse): Record<string, unknown> {
  return {
    id: run?.id,
    state: run && stateName(run.state),
    reason: reason === PendingReason.UNSPECIFIED ? undefined : PendingReason[reason],
    message,
    remedy: remedy || undefined,
    position: position > 0n ? Number(position) : undefined,
    subject: subject || undefined,
    limit,
    held,
    dueTime: dueTime && timestampDate(dueTime).toISOString(),
  };
}
