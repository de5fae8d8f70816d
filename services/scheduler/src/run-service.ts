import type { ServiceImpl } from "@connectrpc/connect";
import { bidi, type GrpcService, grpcService, invalidFields, itemFault, principalOf } from "@runlane/platform";
import { RunService, type TriggerAndWaitRequest } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { explainRun } from "./explanation.js";
import { limits } from "./limits.js";
import { logPosition, logSequence } from "./log-position.js";
import { callLimits } from "./owner-client.js";
import { replayRun } from "./replay.js";
import { RunChanges } from "./run-changes.js";
import { listRuns } from "./run-lists.js";
import { RunWatch } from "./run-watch.js";
import { TriggerStream, type TriggerStreamSurroundings } from "./trigger-stream.js";
import { runIdOf, trigger } from "./triggering.js";
import { batchIdFault, delayFault, frameBytes, frameFault, keyFault, runIdFault } from "./validation.js";

/** What a cancellation says if its caller gives no reason; the words that Trigger.dev uses. */
const defaultCancelReason = "Canceled by user";

/** The public RunService: checks what comes in, and asks the owner. */
export function runService(around: TriggerStreamSurroundings): GrpcService {
  const { owner, subscriptions } = around;

  const implementation: ServiceImpl<typeof RunService> = {
    async triggerTasks(request, context) {
      const { environment } = principalOf(context);
      const fault = frameFault(request, frameBytes(request.items, request.batch !== undefined), false);
      if (fault) throw fault;
      return await trigger(owner, { environment }, request, callLimits(context));
    },

    triggerStream: bidi(RunService.method.triggerStream, (stream, context) => new TriggerStream(stream, principalOf(context).environment, around)),

    async *triggerAndWait(request, context) {
      const { environment } = principalOf(context);
      const { outcomes } = await trigger(owner, { environment }, singleItem(request), callLimits(context));
      const runId = runIdOf(outcomes[0]);
      const changes = new RunChanges(environment);
      subscriptions.watchChanges(runId, changes);
      try {
        for await (const run of changes.untilFinal(context.signal)) yield { run, logPosition: subscriptions.logPosition };
      } finally {
        subscriptions.unwatchChanges(runId, changes);
      }
    },

    async getRun({ runId, logPosition: seen }, context) {
      const fault = runIdFault(runId);
      if (fault) throw fault;
      // The owner's answer covers every position that was ever given out: only its form is looked at.
      logSequence(seen);
      const request = { environment: principalOf(context).environment, runId };
      const { run, logSequence: sequence } = await owner.call((service, options) => service.readRun(request, options), callLimits(context));
      return { run, logPosition: logPosition(sequence) };
    },

    listRuns: (request, context) => listRuns(owner, principalOf(context).environment, request, callLimits(context)),

    async *watch(request, context) {
      yield* new RunWatch(owner, principalOf(context).environment, request).responses(context.signal);
    },

    async cancelRun({ runId, reason }, context) {
      const fault = runIdFault(runId);
      if (fault) throw fault;
      const request = { environment: principalOf(context).environment, runId, reason: reason.slice(0, limits.cancelReason) || defaultCancelReason };
      const { run, logSequence: sequence } = await owner.call((service, options) => service.stopRun(request, options), callLimits(context));
      return { run, logPosition: logPosition(sequence) };
    },

    async rescheduleRun(request, context) {
      const fault = runIdFault(request.runId) ?? delayFault(request.delay);
      if (fault) throw fault;
      const asked = { environment: principalOf(context).environment, request };
      const { run, logSequence: sequence } = await owner.call((service, options) => service.moveRun(asked, options), callLimits(context));
      return { run, logPosition: logPosition(sequence) };
    },

    replayRun: (request, context) => replayRun(owner, principalOf(context).environment, request, callLimits(context)),

    async explainRun({ runId, logPosition: seen }, context) {
      const fault = runIdFault(runId);
      if (fault) throw fault;
      logSequence(seen);
      return await explainRun(owner, { environment: principalOf(context).environment, runId }, callLimits(context));
    },

    async getBatch({ batchId, logPosition: seen }, context) {
      const fault = batchIdFault(batchId);
      if (fault) throw fault;
      logSequence(seen);
      const request = { environment: principalOf(context).environment, batchId };
      return { batch: (await owner.call((service, options) => service.readBatch(request, options), callLimits(context))).batch };
    },

    async resetIdempotencyKey({ taskId, key }, context) {
      const fault = keyFault(taskId, key);
      if (fault) throw fault;
      const request = { environment: principalOf(context).environment, taskId, key };
      const { logSequence: sequence } = await owner.call((service, options) => service.endIdempotencyKey(request, options), callLimits(context));
      return { logPosition: logPosition(sequence) };
    },
  };
  return grpcService(RunService, implementation);
}

/** The one item of TriggerAndWait as a frame. Here a fault of the item is a fault of the call. */
function singleItem({ requestId, item }: TriggerAndWaitRequest) {
  if (item === undefined) throw invalidFields([{ field: "item", description: "is missing" }]);
  const request = { requestId, items: [item] };
  const fault = frameFault(request, 0, false) ?? itemFault(item, "item");
  if (fault) throw fault;
  return request;
}
