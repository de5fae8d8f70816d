import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { beforeAll, describe, expect, test } from "vitest";
import { FailureKind } from "#gen/runlane/v1/payload_pb.js";
import { refusalStatus } from "../testing/fake-server.js";
import { failureOf, hex, outputOf } from "../testing/fake-worker-service.js";
import { isAlive, TestWorker, temporaryFolder, welcomedWorker } from "../testing/test-worker.js";

describe("an attempt", () => {
  const worker = new TestWorker();
  const { service } = worker;
  beforeAll(async () => {
    await worker.start();
    await worker.welcomed();
    return () => worker.stop();
  });

  test("sees who it is, frozen", async () => {
    const settings = { tags: ["a", "b"], maxDurationSeconds: 60 };
    const assignment = { attemptNumber: 2, parentRunId: "run_p", rootRunId: "run_r", settings };
    expect(outputOf(await service.result(service.assign("context", undefined, assignment)))).toMatchObject({
      frozen: true,
      attempt: { number: 2 },
      run: {
        id: expect.stringMatching(/^run_/),
        tags: ["a", "b"],
        maxDuration: 60,
        isTest: false,
        createdAt: "2023-11-14T22:13:20.000Z",
        startedAt: "2023-11-14T22:13:20.500Z",
        maxAttempts: 3,
        version: "20261123.1",
        parentTaskRunId: "run_p",
        rootTaskRunId: "run_r",
      },
      task: { id: "context", filePath: "tasks/plain.mjs" },
      queue: { id: "task/context", name: "task/context" },
      environment: { id: "dev", slug: "dev", type: "DEVELOPMENT" },
      organization: { id: "default" },
      project: { ref: "default" },
      deployment: { version: "20261123.1", runtime: "node", runtimeVersion: process.versions.node },
    });
  });

  test("may have no payload and no output", async () => {
    expect(outputOf(await service.result(service.assign("echo")))).toBeUndefined();
  });

  test("fails with what it threw, and asks for another with backoff", async () => {
    const second = service.assign("throws", { message: "broken", name: "CustomError" }, { attemptNumber: 2 });
    const { failure, retryDelay, processLost } = failureOf(await service.result(second));
    expect(failure).toMatchObject({ kind: FailureKind.ERROR, name: "CustomError", message: "broken", code: "" });
    expect(failure?.stackTrace).toContain("plain.mjs");
    expect(failure?.stackTrace).not.toContain("runner.");
    expect(retryDelay).toMatchObject({ seconds: 0n, nanos: 200_000_000 });
    expect(processLost).toBe(false);
  });

  test("asks for no other after the last one, whatever the task says", async () => {
    const last = service.assign("throws", { message: "broken" }, { attemptNumber: 1, maxAttempts: 1 });
    expect(failureOf(await service.result(last)).retryDelay).toBeUndefined();
  });

  test("asks for no other after AbortTaskRunError", async () => {
    const { failure, retryDelay } = failureOf(await service.result(service.assign("aborts")));
    expect(failure).toMatchObject({ kind: FailureKind.ERROR, name: "AbortTaskRunError", message: "no use" });
    expect(retryDelay).toBeUndefined();
  });

  test("may throw what is no error", async () => {
    const { failure } = failureOf(await service.result(service.assign("throws-value", { reason: 7 })));
    expect(failure).toMatchObject({ kind: FailureKind.VALUE, message: '{"reason":7}' });
    expect(Buffer.from(failure!.raw!.data).toString()).toBe('{"reason":7}');
  });

  test("is given what the schema of its task makes of the payload", async () => {
    expect(outputOf(await service.result(service.assign("checked", 7)))).toEqual({ number: 7 });
  });

  test("fails for good if the schema refuses the payload", async () => {
    const { failure, retryDelay } = failureOf(await service.result(service.assign("checked", "seven")));
    expect(failure).toMatchObject({
      kind: FailureKind.INTERNAL,
      name: "TaskPayloadParsedError",
      code: "TASK_INPUT_ERROR",
      message: "Parsing payload with schema failed: no number",
      cause: { name: "TypeError", message: "no number", cause: { kind: FailureKind.VALUE, message: "it is a string" } },
    });
    expect(retryDelay).toBeUndefined();
  });

  test.each([
    ["returns-function", undefined, /cannot be written as JSON: it is a function/],
    ["returns-broken", undefined, /cannot be written as JSON: in a getter/],
    ["returns-much", 10_485_759, /10485761 bytes as JSON, and at most 10485760/],
  ])("fails for good if its output can not be one: %s", async (task, payload, message) => {
    const { failure, retryDelay } = failureOf(await service.result(service.assign(task, payload)));
    expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "TASK_OUTPUT_ERROR", message: expect.stringMatching(message) });
    expect(retryDelay).toBeUndefined();
  });

  test("stores an output of more than 128 KiB before it reports", async () => {
    const { outcome } = await service.result(service.assign("returns-much", 200_000));
    if (outcome.case !== "output") throw new Error(`the attempt has no output, but ${outcome.case}`);
    expect(outcome.value.data).toHaveLength(0);
    expect(service.payloads.value(outcome.value.reference)).toBe("x".repeat(200_000));
  });

  test("gets a payload that is kept apart before its code starts", async () => {
    const payload = { contentType: "application/json", reference: service.payloads.store("y".repeat(300_000)) };
    expect(outputOf(await service.result(service.assign("measures", undefined, { payload })))).toBe(300_000);
  });

  test("fails for good if its payload is gone", async () => {
    const payload = { contentType: "application/json", reference: "pay_gone" };
    const { failure, retryDelay } = failureOf(await service.result(service.assign("measures", undefined, { payload })));
    expect(failure).toMatchObject({ code: "TASK_INPUT_ERROR", message: expect.stringContaining("there is no payload pay_gone") });
    expect(retryDelay).toBeUndefined();
  });

  test("is tried again later if its output finds no room", async () => {
    service.payloads.refuse = () => refusalStatus(Code.ResourceExhausted, "the store is full", "LOG_FULL");
    const { failure, retryDelay } = failureOf(await service.result(service.assign("returns-much", 200_000)));
    service.payloads.refuse = () => undefined;
    expect(failure).toMatchObject({ code: "TASK_OUTPUT_ERROR", message: expect.stringContaining("the store is full") });
    expect(retryDelay).toBeDefined();
  });

  test("fails for good if its payload is not JSON", async () => {
    const payload = { contentType: "application/json", data: Buffer.from("{") };
    const { failure, retryDelay } = failureOf(await service.result(service.assign("echo", undefined, { payload })));
    expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "TASK_INPUT_ERROR" });
    expect(retryDelay).toBeUndefined();
  });

  test("fails for good if the code does not have its task", async () => {
    const { failure } = failureOf(await service.result(service.assign("not-in-the-code")));
    expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "COULD_NOT_FIND_TASK" });
  });

  test("fails for good if its file can not be loaded, and says why", async () => {
    const { service } = await welcomedWorker({}, { manifest: { modules: [join(temporaryFolder(), "missing.mjs")] } });
    const { failure } = failureOf(await service.result(service.assign("echo")));
    expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "COULD_NOT_IMPORT_TASK", message: expect.stringContaining("missing.mjs") });
  });
});

describe("a shared runner process", () => {
  test("goes on when a run calls process.exit, and ends that one", async () => {
    const { service } = await welcomedWorker();
    const pid = outputOf(await service.result(service.assign("pid")));
    const other = service.assign("patient");
    for (const task of ["exits", "exits-later"]) {
      const { failure, retryDelay } = failureOf(await service.result(service.assign(task, { code: 3 })));
      expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE" });
      expect(failure?.message).toContain("process.exit(3)");
      expect(retryDelay).toBeDefined();
    }
    expect(outputOf(await service.result(service.assign("pid")))).toBe(pid);
    expect(service.resultsOf(other)).toEqual([]);
  });

  test.each(["uncaught", "unhandled"])("charges an error that is %s to its run", async (task) => {
    const { service } = await welcomedWorker();
    const pid = outputOf(await service.result(service.assign("pid")));
    const others = [service.assign("patient"), service.assign("patient")];
    const { failure, retryDelay } = failureOf(await service.result(service.assign(task)));
    expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "TASK_RUN_UNCAUGHT_EXCEPTION", name: "RangeError" });
    expect(failure?.message).toMatch(/nobody (caught|handled) this/);
    expect(failure?.stackTrace).toContain("plain.mjs");
    expect(retryDelay).toBeDefined();
    expect(outputOf(await service.result(service.assign("pid")))).toBe(pid);
    for (const other of others) expect(service.resultsOf(other)).toEqual([]);
  });

  test("that is killed loses its attempts, quickly, and is replaced", async () => {
    const { service } = await welcomedWorker();
    const pid = Number(outputOf(await service.result(service.assign("pid"))));
    const tokens = [service.assign("patient"), service.assign("deaf")];
    await service.until(() => service.accepted.includes(hex(tokens[1]!)));
    const from = performance.now();
    process.kill(pid, "SIGKILL");
    for (const token of tokens) {
      const { failure, processLost } = failureOf(await service.result(token));
      expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "TASK_PROCESS_MAYBE_OOM_KILLED" });
      expect(processLost).toBe(true);
    }
    // Long before the lease of 10 s; how soon is judged among the tests of survival, which have the machine to themselves.
    expect(performance.now() - from).toBeLessThan(8_000);
    expect(outputOf(await service.result(service.assign("pid")))).not.toBe(pid);
  });

  test("that blocks its event loop stops no heartbeat", async () => {
    const { service } = await welcomedWorker();
    await service.result(service.assign("pid"));
    const from = service.frames.length;
    const token = service.assign("blocks", { milliseconds: 1_000 });
    await service.result(token);
    const beats = service.frames.slice(from).filter(({ frame }) => frame.heartbeat);
    // Ten are due. If they waited for the runner, one might come before, and the others after it.
    expect(beats.length).toBeGreaterThanOrEqual(3);
  });

  test("is joined by another while it is busy", async () => {
    const { service } = await welcomedWorker({ sharedRunners: 2 });
    const first = outputOf(await service.result(service.assign("pid")));
    for (;;) {
      service.assign("patient");
      if (outputOf(await service.result(service.assign("pid"))) !== first) break;
    }
  });
});

describe("a process of its own", () => {
  test("is for tasks with a machine and for attempts that ask for it, and is used again", async () => {
    const { service } = await welcomedWorker();
    const shared = outputOf(await service.result(service.assign("pid")));
    const own = outputOf(await service.result(service.assign("pid", undefined, { ownProcess: true })));
    const machine = outputOf(await service.result(service.assign("machine-pid")));
    expect(new Set([shared, own, machine]).size).toBe(3);
    expect(outputOf(await service.result(service.assign("machine-pid")))).toBe(machine);
  });

  test("ends with the run that called process.exit", async () => {
    const { service } = await welcomedWorker({}, { manifest: { isolation: "process" } });
    const pid = Number(outputOf(await service.result(service.assign("pid"))));
    await service.result(service.assign("exits", { code: 1 }));
    await service.until(() => !isAlive(pid));
  });

  test("is waited for when there are as many as may be", async () => {
    const { service } = await welcomedWorker({ ownRunners: 1 }, { manifest: { isolation: "process" } });
    const busy = service.assign("patient");
    const queued = service.assign("pid");
    const never = service.assign("pid");
    await service.until(() => service.accepted.length === 3);
    service.send({ cancels: [{ token: never, reason: "" }] });
    await service.until(() => service.confirmed.includes(hex(never)));
    expect(service.resultsOf(queued)).toEqual([]);
    service.send({ cancels: [{ token: busy, reason: "" }] });
    await service.result(queued);
    expect(service.resultsOf(never)).toEqual([]);
  });
});

test("what runs print bears their name", async () => {
  const { service } = await welcomedWorker();
  const file = join(temporaryFolder(), "pid");
  const said = captureStderr();
  await service.result(service.assign("speaks", { text: "two\nlines" }));
  await service.until(() => said().includes("WARN careful"));
  expect(said()).toContain('[run_1 speaks] WARN careful about="two\\nlines"');
  service.assign("own-pid-then-sleep", { pidFile: file }, { ownProcess: true });
  await service.until(() => isAlive(Number(readIfThere(file))));
});

function captureStderr(): () => string {
  const write = process.stderr.write;
  let text = "";
  process.stderr.write = ((chunk: string | Uint8Array) => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    return true;
  }) as typeof write;
  return () => text;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8") || "0";
  } catch {
    return "0";
  }
}
