import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { FailureKind, FailureSchema } from "#gen/runlane/v1/payload_pb.js";
import { errorOfFailure, serializedError } from "./failure-error.js";

const failure = (fields: MessageInitShape<typeof FailureSchema>) => create(FailureSchema, fields);
const stackTrace = "TypeError: no\n    at run (task.ts:3:1)\n    at main (main.ts:1:1)";

test("an error keeps name, message, stack and causes", () => {
  const error = errorOfFailure(
    failure({
      kind: FailureKind.ERROR,
      name: "TypeError",
      message: "no",
      stackTrace,
      cause: { kind: FailureKind.ERROR, name: "Error", message: "deeper", cause: { kind: FailureKind.VALUE, raw: { data: Buffer.from('{"code":7}') } } },
    }),
  ) as Error;
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: "TypeError", message: "no", stack: stackTrace });
  expect(error.cause).toMatchObject({ name: "Error", message: "deeper", cause: { code: 7 } });
  expect(Object.keys(error)).toEqual([]);
});

test("a thrown value comes back as it was", () => {
  expect(errorOfFailure(failure({ kind: FailureKind.VALUE, message: "x", raw: { contentType: "application/json", data: Buffer.from('["a",1]') } }))).toEqual([
    "a",
    1,
  ]);
  expect(errorOfFailure(failure({ kind: FailureKind.VALUE, message: "what it was", raw: { data: Buffer.from("not JSON") } }))).toBe("what it was");
});

test("a failure of Runlane's own reads its code, then its message", () => {
  const error = errorOfFailure(
    failure({ kind: FailureKind.INTERNAL, name: "TypeError", code: "TASK_RUN_UNCAUGHT_EXCEPTION", message: "no", stackTrace }),
  ) as Error & { code: string };
  expect(String(error)).toBe("TASK_RUN_UNCAUGHT_EXCEPTION: no");
  expect(error.code).toBe("TASK_RUN_UNCAUGHT_EXCEPTION");
  expect(error.stack).toBe("TASK_RUN_UNCAUGHT_EXCEPTION: no\n    at run (task.ts:3:1)\n    at main (main.ts:1:1)");
});

test("a run without a failure still has an error", () => {
  expect(errorOfFailure(undefined)).toBeInstanceOf(Error);
});

test("as JSON, causes are a list and an internal code stands first in the message", () => {
  const chain = failure({
    kind: FailureKind.ERROR,
    name: "TypeError",
    message: "no",
    stackTrace,
    cause: { kind: FailureKind.ERROR, name: "Error", message: "deeper", cause: { kind: FailureKind.ERROR, name: "Error", message: "deepest" } },
  });
  expect(serializedError(chain)).toEqual({
    name: "TypeError",
    message: "no",
    stackTrace,
    causes: [
      { name: "Error", message: "deeper" },
      { name: "Error", message: "deepest" },
    ],
  });
  expect(serializedError(failure({ kind: FailureKind.INTERNAL, code: "TASK_RUN_STALLED_EXECUTING", message: "the worker was lost" }))).toEqual({
    name: "TASK_RUN_STALLED_EXECUTING",
    message: "TASK_RUN_STALLED_EXECUTING: the worker was lost",
  });
});
