import type { Client } from "@connectrpc/connect";
import type { Run, TriggerItem } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import type { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { ServerSilence, type SilenceLimits } from "./server-silence.js";

/**
 * Triggers a task and yields its run at every change, the final one last. Goes on over broken streams: the request id makes the repeated call find its run.
 *
 * @throws ConnectError what the server refused with, or UNAVAILABLE if nothing was heard of it for too long.
 */
export async function* followRun(
  runs: Client<typeof RunService>,
  requestId: string,
  item: TriggerItem,
  limits?: SilenceLimits,
): AsyncGenerator<Run, void, undefined> {
  const silence = new ServerSilence(limits);
  for (;;) {
    try {
      for await (const { run } of runs.triggerAndWait({ requestId, item })) {
        silence.broken();
        if (run) yield run;
      }
      return;
    } catch (error) {
      await silence.outlast(error);
    }
  }
}
