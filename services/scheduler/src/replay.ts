import { create } from "@bufbuild/protobuf";
import { type Run, type TriggerItem, TriggerItemSchema } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { ReplayRunRequest } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import type { OwnerCallLimits, OwnerClient } from "./owner-client.js";
import { runIdOf, trigger } from "./triggering.js";
import { frameFault, runIdFault } from "./validation.js";

/** The new run of ReplayRun. */
export interface Replayed {
  readonly runId: string;
  readonly logPosition: string;
}

/** Answers ReplayRun: reads the run, and triggers its task again. @throws ConnectError RUN_NOT_FOUND, and what an item of TriggerTasks may be refused for. */
export async function replayRun(owner: OwnerClient, environment: string, request: ReplayRunRequest, callLimits: OwnerCallLimits): Promise<Replayed> {
  const { requestId, runId } = request;
  const fault = runIdFault(runId);
  if (fault) throw fault;
  const { run } = await owner.call((service, options) => service.readRun({ environment, runId }, options), callLimits);
  if (!run) throw new Error("the owner answered a read without a run");
  const again = { requestId, items: [itemOf(run)] };
  const frame = frameFault(again, 0, false);
  if (frame) throw frame;
  const { outcomes, logPosition } = await trigger(owner, { environment, replayOf: runId }, again, callLimits);
  return { runId: runIdOf(outcomes[0]), logPosition };
}

/**
 * What a replay has of its run, as Trigger.dev's has: nothing that says when, how often or how long it runs, and no key. A run of its task's own queue names none, and so goes where the task's
 * code sends runs today.
 */
function itemOf({ taskId, payload, queue, tags, metadata, machine, concurrencyKey, test }: Run): TriggerItem {
  const options = {
    ...(queue === `task/${taskId}` ? {} : { queue }),
    tags,
    concurrencyKey,
    test,
    ...(metadata ? { metadata } : {}),
    ...(machine ? { machine } : {}),
  };
  return create(TriggerItemSchema, { taskId, options, ...(payload ? { payload } : {}) });
}
