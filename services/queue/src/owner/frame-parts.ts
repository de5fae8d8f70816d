import { create } from "@bufbuild/protobuf";
import { type WorkRequest, WorkRequestSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { updateBytes } from "../engine/decide-update.js";
import type { Durable } from "../engine/durable.js";

/**
 * A worker's frame in parts that are decided one after the other. Metadata is logged whole after each change, so a frame with many changes would not fit into a record of the log: each
 * change is a part of its own. Other frames are one part.
 */
export function frameParts(request: WorkRequest): readonly WorkRequest[] {
  const { commands } = request;
  if (!commands.some(({ command }) => command.case === "updateRun")) return [request];
  const { accepted, declined, results, cancelConfirmed, heartbeat, heldList, drain } = request;
  return [
    create(WorkRequestSchema, { accepted, declined }),
    ...commands.map((command) => create(WorkRequestSchema, { commands: [command] })),
    create(WorkRequestSchema, { results, cancelConfirmed, heartbeat, heldList, drain }),
  ];
}

/** About how many bytes the changes of metadata in a part will hold, besides what it brings itself. */
export function updateBytesOf(durable: Durable, { commands }: WorkRequest): number {
  let bytes = 0;
  for (const { token, command } of commands) if (command.case === "updateRun") bytes += updateBytes(durable, token, command.value);
  return bytes;
}
