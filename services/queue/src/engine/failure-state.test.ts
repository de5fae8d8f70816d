import { FailureKind } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { expect, test } from "vitest";
import { EngineHarness } from "../testing/engine-harness.js";
import { stateOf } from "./view.js";

/** Lets an attempt fail, and asks for a retry. */
function fail(failure: { kind: FailureKind; code?: string }, { processLost = false, machine = "" } = {}) {
  const harness = new EngineHarness();
  const worker = harness.connect({ id: "w", capacity: { milliCpus: 1_000, memoryMib: 1_024 }, tasks: [{ id: "t", machine }] });
  const [run] = harness.trigger("t");
  const [{ token } = { token: new Uint8Array() }] = worker.accept();
  const retryDelay = { seconds: 60n, nanos: 0 };
  worker.send({ results: [{ token, outcome: { case: "failure", value: { failure: { message: "no", code: "", ...failure }, retryDelay, processLost } } }] });
  return { harness, worker, run: run! };
}

test.each([
  ["MAX_DURATION_EXCEEDED", "TIMED_OUT"],
  ["TASK_PROCESS_OOM_KILLED", "CRASHED"],
  ["DISK_SPACE_EXCEEDED", "CRASHED"],
  ["COULD_NOT_FIND_TASK", "SYSTEM_FAILURE"],
  ["COULD_NOT_IMPORT_TASK", "SYSTEM_FAILURE"],
  ["TASK_PROCESS_SIGKILL_TIMEOUT", "SYSTEM_FAILURE"],
  ["RECURSIVE_WAIT_DEADLOCK", "FAILED"],
])("%s ends the run as %s, whatever the worker asks for", (code, state) => {
  expect(RunState[stateOf(fail({ kind: FailureKind.INTERNAL, code }).run)]).toBe(state);
});

test.each(["TASK_RUN_STALLED_EXECUTING", "TASK_OUTPUT_ERROR", "TASK_PROCESS_SIGSEGV", "HANDLE_ERROR_ERROR", "TASK_RUN_UNCAUGHT_EXCEPTION"])(
  "%s is retried",
  (code) => {
    expect(fail({ kind: FailureKind.INTERNAL, code }).run.phase).toBe("delayed");
  },
);

test("what user code threw is retried, and FAILED in the end, whatever code it carries", () => {
  expect(fail({ kind: FailureKind.ERROR, code: "MAX_DURATION_EXCEEDED" }).run.phase).toBe("delayed");
});

test.each([
  ["TASK_RUN_STALLED_EXECUTING", "FAILED"],
  ["TASK_PROCESS_SIGSEGV", "CRASHED"],
  ["HANDLE_ERROR_ERROR", "CRASHED"],
  ["TASK_PROCESS_SIGTERM", "SYSTEM_FAILURE"],
  ["", "FAILED"],
])("%j in the last attempt is %s", (code, state) => {
  const { harness, worker } = fail({ kind: FailureKind.ERROR });
  const [last] = harness.trigger("t", 1, { maxAttempts: 1 });
  const [{ token } = { token: new Uint8Array() }] = worker.accept();
  worker.send({ results: [{ token, outcome: { case: "failure", value: { failure: { kind: FailureKind.INTERNAL, code, message: "no" } } } }] });
  expect(RunState[stateOf(last!)]).toBe(state);
});

test("a process that died for want of memory is held against an attempt only if it had the process to itself", () => {
  const shared = fail({ kind: FailureKind.INTERNAL, code: "TASK_PROCESS_MAYBE_OOM_KILLED" }, { processLost: true });
  expect([shared.run.phase, shared.run.ownProcess, shared.worker.accept()[0]?.ownProcess]).toEqual(["assigned", true, true]);
  const own = fail({ kind: FailureKind.INTERNAL, code: "TASK_PROCESS_MAYBE_OOM_KILLED" }, { processLost: true, machine: "micro" });
  expect(RunState[stateOf(own.run)]).toBe("CRASHED");
});
