import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Run, TriggerItemSchema } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { onTestFinished } from "vitest";
import { Stranger } from "./stranger.js";
import type { OnCleanUp, TestServer } from "./test-server.js";

const { triggerTasks, triggerAndWait, getRun, cancelRun } = RunService.method;

/** Triggers tasks and reads runs by the contract alone. The SDK has one configuration per process; tests that run side by side need one each. */
export class RunClient {
  readonly stranger: Stranger;
  #requests = 0;

  constructor(server: Pick<TestServer, "address" | "workerAddress" | "secretKey">, onCleanUp: OnCleanUp = onTestFinished) {
    this.stranger = new Stranger(server.address, server.secretKey, onCleanUp, server.workerAddress);
  }

  /** Triggers runs; their ids, in order. */
  async trigger(...items: MessageInitShape<typeof TriggerItemSchema>[]): Promise<string[]> {
    this.#requests += 1;
    const { outcomes } = await this.stranger.call(triggerTasks, { requestId: `request-${this.#requests}`, items });
    return outcomes.map(({ outcome }) => {
      if (outcome.case !== "runId") throw new Error(`not triggered: ${outcome.value?.message}`);
      return outcome.value;
    });
  }

  /** A run as the server knows it. */
  async run(runId: string): Promise<Run> {
    const { run } = await this.stranger.call(getRun, { runId });
    if (!run) throw new Error(`GetRun answered no run for ${runId}`);
    return run;
  }

  /** Triggers a run and waits for its end, of which the server tells at once. */
  async triggerAndWait(item: MessageInitShape<typeof TriggerItemSchema>): Promise<Run> {
    const run = (await this.stranger.collect(triggerAndWait, { item })).at(-1)?.run;
    if (!run) throw new Error("TriggerAndWait ended without a run");
    return run;
  }

  /** Cancels a run. */
  async cancel(runId: string): Promise<void> {
    await this.stranger.call(cancelRun, { runId });
  }
}
