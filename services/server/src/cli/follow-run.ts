import { setTimeout as sleep } from "node:timers/promises";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { Run, TriggerItem } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import type { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { retryDelayOf } from "@runlane/sdk/internal";

/** How long to go on without a word from the server, in milliseconds. */
export interface FollowLimits {
  /** Until the run exists. Default 5,000. */
  firstWordMs?: number;
  /** Afterwards: a server that restarts takes its time. Default 60,000. */
  laterWordMs?: number;
}

const pauseMs = 250;

/**
 * Triggers a task and yields its run at every change, the final one last. Goes on over broken streams: the request id makes the repeated call find its run.
 *
 * @throws ConnectError what the server refused with, or UNAVAILABLE if nothing was heard of it for too long.
 */
export async function* followRun(
  runs: Client<typeof RunService>,
  requestId: string,
  item: TriggerItem,
  { firstWordMs = 5_000, laterWordMs = 60_000 }: FollowLimits = {},
): AsyncGenerator<Run, void, undefined> {
  let lastWord = performance.now();
  let known = false;
  for (;;) {
    try {
      for await (const { run } of runs.triggerAndWait({ requestId, item })) {
        lastWord = performance.now();
        known = true;
        if (run) yield run;
      }
      return;
    } catch (error) {
      const failure = ConnectError.from(error);
      const silence = performance.now() - lastWord;
      if (failure.code !== Code.Unavailable || silence > (known ? laterWordMs : firstWordMs)) throw failure;
      await sleep(Math.max(pauseMs, retryDelayOf(failure) ?? 0));
    }
  }
}
