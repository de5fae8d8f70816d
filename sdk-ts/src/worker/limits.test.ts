import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { RunState } from "#gen/runlane/v1/run_pb.js";
import { failureOf, hex, outputOf } from "../testing/fake-worker-service.js";
import { isAlive, welcomedWorker } from "../testing/test-worker.js";
import type { ManifestTask, WorkerManifest } from "./manifest.js";
import type { SupervisorOptions } from "./supervisor-options.js";

type OnCleanUp = (end: () => Promise<void>) => void;

// Real processes: their memory runs out, their event loops stand still. Each test has its own, and waits for most of its time: so they run side by side.
const modules = [fileURLToPath(new URL("../testing/tasks/limits.mjs", import.meta.url))];
const plain = ["blocks", "yields", "deaf", "patient", "reason", "pid", "child", "waits-then-stays", "machine"];
const machines: Record<string, string> = {
  "fills-heap": "micro",
  "fills-buffers": "micro",
  memory: "micro",
  "says-so": "micro",
  "blocks-own": "micro",
  "machine-pid": "small-2x",
  meets: "small-2x",
  stays: "small-2x",
};
const outOfMemoryRetry = { minTimeoutInMs: 1_000, randomize: false, outOfMemory: { machine: "small-1x" as const } };

/** A folder that is gone after the test. */
function folderOf(onCleanUp: OnCleanUp): string {
  const folder = mkdtempSync(join(tmpdir(), "runlane-"));
  onCleanUp(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function limitedWorker(onCleanUp: OnCleanUp, options: Partial<SupervisorOptions> = {}, more: Partial<WorkerManifest> = {}, task: Partial<ManifestTask> = {}) {
  const tasks = [...plain, ...Object.keys(machines)].map((id) => ({ id, filePath: "tasks/limits.mjs", maxAttempts: 3, machine: machines[id], ...task }));
  return welcomedWorker(options, { manifest: { modules, tasks, ...more }, onCleanUp });
}

describe.concurrent("memory", () => {
  test("a process has the heap of its machine: four fifths, and 96 MiB less at least", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    expect(outputOf(await service.result(service.assign("memory")))).toEqual(["--max-old-space-size=160"]);
    expect(outputOf(await service.result(service.assign("memory", undefined, { settings: { machine: "medium-1x" } })))).toEqual(["--max-old-space-size=1638"]);
  });

  test.for([
    ["fills-heap", "the JavaScript heap of the attempt's process was full"],
    ["fills-buffers", "and was ended"],
  ])("%s is seen, named, and the run's last attempt", async ([taskId = "", how = ""], { onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const failed = failureOf(await service.result(service.assign(taskId)));
    expect(failed).toMatchObject({ processLost: false, retryMachine: "", failure: { code: "TASK_PROCESS_OOM_KILLED" } });
    expect(failed.retryDelay).toBeUndefined();
    expect(failed.failure?.message).toContain(how);
    expect(failed.failure?.message).toContain("Its machine is micro (0.25 cpu, 256 MiB); give the task a larger one");
  });

  test("the next attempt is on the machine that retry.outOfMemory names, after the usual delay", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, {}, {}, { outOfMemoryRetry });
    const first = failureOf(await service.result(service.assign("fills-buffers")));
    expect(first).toMatchObject({ retryMachine: "small-1x", processLost: false, retryDelay: { seconds: 1n } });
    const second = failureOf(await service.result(service.assign("fills-buffers", undefined, { attemptNumber: 2, settings: { machine: "small-1x" } })));
    expect(second).toMatchObject({ retryMachine: "", processLost: false });
    expect(second.retryDelay).toBeUndefined();
    expect(second.failure?.message).toContain("small-1x (0.5 cpu, 512 MiB)");
  });

  test.for<[string, object]>([
    ["an OutOfMemoryError", {}],
    ["the end of an ffmpeg that was killed", { words: "ffmpeg was killed with signal SIGKILL" }],
  ])("%s counts as one, too", async ([, payload], { onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const first = failureOf(await service.result(service.assign("says-so", payload)));
    expect(first).toMatchObject({ retryMachine: "small-1x", retryDelay: { seconds: 1n }, failure: { code: "TASK_PROCESS_OOM_KILLED" } });
    const second = failureOf(await service.result(service.assign("says-so", payload, { attemptNumber: 2, settings: { machine: "small-1x" } })));
    expect(second).toMatchObject({ retryMachine: "", failure: { code: "TASK_PROCESS_OOM_KILLED" } });
    expect(second.retryDelay).toBeUndefined();
  });

  test("ctx says which machine it is", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const ctx = { name: "small-1x", cpu: 0.5, memory: 0.5, centsPerMs: 0 };
    expect(outputOf(await service.result(service.assign("machine", undefined, { settings: { machine: "small-1x" } })))).toEqual(ctx);
    expect(outputOf(await service.result(service.assign("machine")))).toBeUndefined();
  });

  test("there is no next attempt if the attempts are used up", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, {}, {}, { outOfMemoryRetry });
    const failed = failureOf(await service.result(service.assign("fills-buffers", undefined, { attemptNumber: 3 })));
    expect(failed).toMatchObject({ retryMachine: "" });
    expect(failed.retryDelay).toBeUndefined();
  });
});

describe.concurrent("a worker's capacity", () => {
  test("is said in its Hello", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, { capacity: { milliCpus: 1_500, memoryMib: 2_000 } });
    expect(await service.hello()).toMatchObject({ capacity: { milliCpus: 1_500, memoryMib: 2_000 } });
    expect((await service.hello()).tasks.find(({ id }) => id === "memory")?.machine).toBe("micro");
  });

  test("of a small-2x never holds two processes of that size that execute", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, { capacity: { milliCpus: 1_000, memoryMib: 1_024 } });
    const tokens = [1, 2, 3].map(() => service.assign("stays", { milliseconds: 300 }));
    const started = performance.now();
    const pids = [];
    for (const token of tokens) pids.push(outputOf(await service.result(token)));
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(new Set(pids).size).toBe(1);
  });

  test("of two of them holds two", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, { capacity: { milliCpus: 2_000, memoryMib: 2_048 } });
    const folder = folderOf(onTestFinished);
    const all = ["one", "two"].map((name) => join(folder, name));
    const tokens = all.map((mine) => service.assign("meets", { mine, all }));
    const pids = [];
    for (const token of tokens) pids.push(outputOf(await service.result(token)));
    expect(new Set(pids).size).toBe(2);
  });

  test("lets an idle process of another machine go before it starts one for which there is no memory beside it", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, { capacity: { milliCpus: 1_000, memoryMib: 1_024 } });
    const pid = Number(outputOf(await service.result(service.assign("machine-pid"))));
    expect(outputOf(await service.result(service.assign("machine-pid")))).toBe(pid);
    await service.result(service.assign("machine-pid", undefined, { settings: { machine: "micro" } }));
    await service.until(() => !isAlive(pid));
  });
});

describe.concurrent("maxDuration", () => {
  const settings = { maxDurationSeconds: 1 };

  test("aborts the signal and says why; the attempt has failed for good", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const pid = outputOf(await service.result(service.assign("pid")));
    const from = performance.now();
    const failed = failureOf(await service.result(service.assign("patient", undefined, { settings })));
    expect(performance.now() - from).toBeGreaterThan(990);
    // It was not cut off: that would have been the last thing that its process did.
    expect(outputOf(await service.result(service.assign("pid")))).toBe(pid);
    expect(failed).toMatchObject({ processLost: false, failure: { code: "MAX_DURATION_EXCEEDED" } });
    expect(failed.failure?.message).toBe("Run exceeded maximum compute time (maxDuration) of 1 seconds");
    expect(failed.retryDelay).toBeUndefined();
  });

  test("leaves alone what is quicker", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    expect(outputOf(await service.result(service.assign("yields", { milliseconds: 300 }, { settings: { maxDurationSeconds: 3 } })))).toBe("done");
  });

  test("cuts off code that does not listen a second later; other attempts of its process go on", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const pid = outputOf(await service.result(service.assign("pid")));
    const other = service.assign("yields", { milliseconds: 4_000 });
    const from = performance.now();
    const failed = failureOf(await service.result(service.assign("deaf", undefined, { settings })));
    expect(performance.now() - from).toBeGreaterThan(1_900);
    expect(failed.failure?.code).toBe("MAX_DURATION_EXCEEDED");
    expect(outputOf(await service.result(service.assign("pid")))).not.toBe(pid);
    expect(outputOf(await service.result(other))).toBe("done");
  });

  test("ends a shared process that is blocked; its other attempts are lost, and tried again", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const pid = Number(outputOf(await service.result(service.assign("pid"))));
    const other = service.assign("patient");
    await service.until(() => service.accepted.includes(hex(other)));
    const blocking = service.assign("blocks", { milliseconds: 60_000 }, { settings });
    expect(failureOf(await service.result(blocking))).toMatchObject({ processLost: false, failure: { code: "MAX_DURATION_EXCEEDED" } });
    const lost = failureOf(await service.result(other));
    expect(lost).toMatchObject({ processLost: true, failure: { code: "TASK_RUN_STALLED_EXECUTING" } });
    expect(lost.failure?.message).toContain("another run of the same process");
    expect(isAlive(pid)).toBe(false);
  });

  test("ends a process of its own that is blocked", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const failed = failureOf(await service.result(service.assign("blocks-own", { milliseconds: 60_000 }, { settings })));
    expect(failed).toMatchObject({ processLost: false, failure: { code: "MAX_DURATION_EXCEEDED" } });
  });

  test("does not count what the attempt waits", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const token = service.assign("waits-then-stays", { milliseconds: 50 }, { settings: { maxDurationSeconds: 2 } });
    const command = await service.until(() => service.commands[0]);
    // That nothing happens while it waits takes as long as it may be active.
    await new Promise((resolve) => setTimeout(resolve, 2_050));
    service.send({ commandOutcomes: [{ token, commandId: command.commandId, outcomes: [{ outcome: { case: "runId", value: "run_c" } }] }] });
    service.send({ resumes: [{ token, waitId: 1, results: [completed("run_c")] }] });
    expect(outputOf(await service.result(token))).toBe("done");
  });

  test("counts on after the wait", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const token = service.assign("waits-then-stays", { milliseconds: 60_000 }, { settings });
    const command = await service.until(() => service.commands[0]);
    service.send({ commandOutcomes: [{ token, commandId: command.commandId, outcomes: [{ outcome: { case: "runId", value: "run_c" } }] }] });
    service.send({ resumes: [{ token, waitId: 1, results: [completed("run_c")] }] });
    expect(failureOf(await service.result(token)).failure?.code).toBe("MAX_DURATION_EXCEEDED");
  });

  test("gives way to a cancel", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished);
    const aborted = join(folderOf(onTestFinished), "aborted");
    const token = service.assign("deaf", { aborted }, { settings });
    // The limit is reached: it is cut off a second later.
    await service.until(() => existsSync(aborted));
    service.send({ cancels: [{ token, reason: "" }] });
    await service.until(() => service.confirmed.includes(hex(token)));
    expect(service.resultsOf(token)).toEqual([]);
  });
});

describe.concurrent("a runner that stands still", () => {
  test("is ended after the stall limit, and its attempts are tried again", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, {}, { stallSeconds: 1.2 });
    const pid = Number(outputOf(await service.result(service.assign("pid"))));
    const from = performance.now();
    const lost = failureOf(await service.result(service.assign("blocks", { milliseconds: 60_000 })));
    expect(performance.now() - from).toBeGreaterThan(1_000);
    expect(lost).toMatchObject({ processLost: true, failure: { code: "TASK_RUN_STALLED_EXECUTING" } });
    expect(lost.failure?.message).toContain("did not turn for 1.2 s");
    expect(isAlive(pid)).toBe(false);
    expect(outputOf(await service.result(service.assign("pid")))).not.toBe(pid);
  });

  test("is left alone while its code yields", async ({ onTestFinished }) => {
    const { service } = await limitedWorker(onTestFinished, {}, { stallSeconds: 2 });
    expect(outputOf(await service.result(service.assign("yields", { milliseconds: 4_000 })))).toBe("done");
  });
});

function completed(runId: string) {
  return { runId, state: RunState.COMPLETED, output: { contentType: "application/json", data: Buffer.from("1") } };
}
