import { reasonOf } from "@runlane/platform";
import type { JudgeRunRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { ExplainRunResponse } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import type { OwnerCallLimits, OwnerClient } from "./owner-client.js";

type Asked = Pick<JudgeRunRequest, "environment" | "runId">;

/** Answers ExplainRun: what the owner says of a run that it has in memory; of others that they are final. @throws ConnectError RUN_NOT_FOUND if there is no such run at all. */
export async function explainRun(owner: OwnerClient, asked: Asked, callLimits: OwnerCallLimits): Promise<ExplainRunResponse> {
  try {
    const { answer } = await owner.call((service, options) => service.judgeRun(asked, options), callLimits);
    if (!answer) throw new Error("the owner explained a run without an answer");
    return answer;
  } catch (error) {
    if (reasonOf(error) !== "RUN_NOT_FOUND") throw error;
    return await explainFinal(owner, asked, callLimits);
  }
}

async function explainFinal(owner: OwnerClient, asked: Asked, callLimits: OwnerCallLimits): Promise<ExplainRunResponse> {
  const { run } = await owner.call((service, options) => service.readRun(asked, options), callLimits);
  if (!run) throw new Error("the owner answered a read without a run");
  const { payload: _payload, output: _output, ...rest } = run;
  const message = `The run is ${RunState[run.state]}.`;
  return { $typeName: "runlane.v1.ExplainRunResponse", run: rest, reason: 0, message, remedy: "", position: 0n, subject: "" };
}
