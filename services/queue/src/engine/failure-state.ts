import { create } from "@bufbuild/protobuf";
import { type Failure, FailureKind, FailureSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { RefusalData } from "./run-record.js";

/** What a run whose last attempt failed is for everybody outside, by the code of its failure; as Trigger.dev has it (run-engine/src/engine/errors.ts). Other codes: SYSTEM_FAILURE. */
const states: Readonly<Record<string, RunState>> = {
  RECURSIVE_WAIT_DEADLOCK: RunState.FAILED,
  TASK_INPUT_ERROR: RunState.FAILED,
  TASK_OUTPUT_ERROR: RunState.FAILED,
  TASK_MIDDLEWARE_ERROR: RunState.FAILED,
  TASK_RUN_UNCAUGHT_EXCEPTION: RunState.FAILED,
  TASK_RUN_STALLED_EXECUTING: RunState.FAILED,
  TASK_RUN_STALLED_EXECUTING_WITH_WAITPOINTS: RunState.FAILED,
  MAX_DURATION_EXCEEDED: RunState.TIMED_OUT,
  TASK_PROCESS_OOM_KILLED: RunState.CRASHED,
  TASK_PROCESS_MAYBE_OOM_KILLED: RunState.CRASHED,
  TASK_PROCESS_SIGSEGV: RunState.CRASHED,
  TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE: RunState.CRASHED,
  TASK_RUN_CRASHED: RunState.CRASHED,
  DISK_SPACE_EXCEEDED: RunState.CRASHED,
  OUTDATED_SDK_VERSION: RunState.CRASHED,
  HANDLE_ERROR_ERROR: RunState.CRASHED,
};

/** Codes after which another attempt makes no sense, as Trigger.dev has them (shouldRetryError). A stall is not among them: it is retried while attempts remain. */
const final: ReadonlySet<string> = new Set([
  "COULD_NOT_FIND_EXECUTOR",
  "COULD_NOT_FIND_TASK",
  "COULD_NOT_IMPORT_TASK",
  "CONFIGURED_INCORRECTLY",
  "TASK_ALREADY_RUNNING",
  "TASK_PROCESS_SIGKILL_TIMEOUT",
  "TASK_PROCESS_OOM_KILLED",
  "TASK_PROCESS_MAYBE_OOM_KILLED",
  "TASK_RUN_CANCELLED",
  "MAX_DURATION_EXCEEDED",
  "DISK_SPACE_EXCEEDED",
  "OUTDATED_SDK_VERSION",
  "TASK_RUN_HEARTBEAT_TIMEOUT",
  "TASK_DID_CONCURRENT_WAIT",
  "RECURSIVE_WAIT_DEADLOCK",
  "TASK_DEQUEUED_INVALID_STATE",
  "TASK_DEQUEUED_QUEUE_NOT_FOUND",
  "TASK_HAS_N0_EXECUTION_SNAPSHOT",
  "TASK_RUN_DEQUEUED_MAX_RETRIES",
  "BATCH_ITEM_COULD_NOT_TRIGGER",
  "PAYLOAD_TOO_LARGE",
  "UNSPECIFIED_ERROR",
]);

/** The state of a run that ended with this failure. What user code threw is FAILED, and so is a failure of Runlane's own without a code. */
export function failedState(failure: Failure | undefined): RunState {
  if (failure?.kind !== FailureKind.INTERNAL || failure.code === "") return RunState.FAILED;
  return Object.hasOwn(states, failure.code) ? (states[failure.code] as RunState) : RunState.SYSTEM_FAILURE;
}

/** The failure of an item of a batch that could not be triggered, as Trigger.dev has it; `name` is the reason from the catalogue of errors. */
export function untriggeredFailure({ reason, message }: RefusalData): Failure {
  const code = reason === "PAYLOAD_TOO_LARGE" ? reason : "BATCH_ITEM_COULD_NOT_TRIGGER";
  return create(FailureSchema, { kind: FailureKind.INTERNAL, name: reason, code, message });
}

/** Whether a failure ends its run whatever the worker asks for. */
export function isFinalFailure(failure: Failure | undefined): boolean {
  return failure?.kind === FailureKind.INTERNAL && final.has(failure.code);
}
