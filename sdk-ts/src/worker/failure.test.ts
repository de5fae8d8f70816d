import { expect, test } from "vitest";
import { FailureKind } from "#gen/runlane/v1/payload_pb.js";
import { failureOf, internalFailure } from "./failure.js";

test("an error is its name, message and stack, and its causes theirs", () => {
  const failure = failureOf(new TypeError("outer", { cause: new RangeError("inner", { cause: "the bottom" }) }));
  expect(failure).toMatchObject({
    kind: FailureKind.ERROR,
    name: "TypeError",
    message: "outer",
    cause: { kind: FailureKind.ERROR, name: "RangeError", message: "inner", cause: { kind: FailureKind.VALUE, message: "the bottom" } },
  });
  expect(failure.stackTrace).toContain("failure.test.ts");
});

test("a chain of causes ends after eight", () => {
  let error = new Error("bottom");
  for (let depth = 0; depth < 20; depth += 1) error = new Error(`above ${depth}`, { cause: error });
  let depth = 0;
  for (let failure = failureOf(error); failure.cause; failure = failure.cause) depth += 1;
  expect(depth).toBe(8);
});

test("an error that is its own cause does no harm", () => {
  const error = new Error("circle");
  error.cause = error;
  expect(failureOf(error).cause?.message).toBe("circle");
});

test("a long message is cut, and NULs are left out", () => {
  expect(failureOf(new Error(`\0${"x".repeat(2_000)}`)).message).toBe(`${"x".repeat(1_000)}...[truncated]`);
});

test("of a long stack trace, the top five and the bottom 45 frames stay", () => {
  const error = new Error("deep");
  error.stack = ["Error: deep", ...Array.from({ length: 200 }, (_, frame) => `    at frame${frame} (file.js:1:1)`)].join("\n");
  const lines = failureOf(error).stackTrace.split("\n");
  expect(lines).toHaveLength(52);
  expect(lines[5]).toContain("frame4 ");
  expect(lines[6]).toBe("    ... 150 frames omitted ...");
  expect(lines[7]).toContain("frame155 ");
});

test.each([
  ["a string", "broken", '"broken"', "broken"],
  ["an object", { code: 7 }, '{"code":7}', '{"code":7}'],
  ["nothing", undefined, '"undefined"', "undefined"],
  ["a big integer", 7n, '"7"', "7"],
])("what is thrown may be %s", (_, value, raw, message) => {
  const failure = failureOf(value);
  expect(failure).toMatchObject({ kind: FailureKind.VALUE, message });
  expect(Buffer.from(failure.raw!.data).toString()).toBe(raw);
});

test("a value that throws when it is looked at is a failure like others", () => {
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error("do not look");
      },
    },
  );
  expect(failureOf(hostile)).toMatchObject({ kind: FailureKind.VALUE, message: "(a value that has no text)" });
});

test("a failure of Runlane's own has a code, and the stack of what is behind it", () => {
  const failure = internalFailure("TASK_OUTPUT_ERROR", "too large", new RangeError("inner"));
  expect(failure).toMatchObject({ kind: FailureKind.INTERNAL, code: "TASK_OUTPUT_ERROR", name: "RangeError", message: "too large" });
  expect(failure.stackTrace).toContain("RangeError: inner");
});
