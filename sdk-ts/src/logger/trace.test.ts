import { expect, expectTypeOf, test } from "vitest";
import { logger } from "../index.js";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import type { Span } from "./span.js";

/** What a run's log says while this is called; times are left out. */
async function linesOf(code: () => unknown): Promise<[string, string, unknown][]> {
  const lines: [string, string, unknown][] = [];
  const runtime = {
    log: (level, message, properties) => lines.push([level, message.replace(/[\d.]+ m?s/, "TIME"), properties]),
  } as Partial<RunRuntime> as RunRuntime;
  await runRuntimeStorage().run(runtime, code);
  return lines;
}

test("a span is a line at its end, with what it is inside of, and its attributes", async () => {
  const lines = await linesOf(() =>
    logger.trace(
      "outer",
      async (outer) => {
        outer.setAttribute("step", 1).setAttributes({ size: 2 });
        await Promise.all([logger.trace("left", async () => logger.info("hello")), logger.trace("right", async (span) => span.updateName("renamed"))]);
      },
      { attributes: { user: "Ada" } },
    ),
  );
  expect(lines).toEqual([
    ["info", "hello", undefined],
    ["info", "outer > left: TIME", {}],
    ["info", "outer > renamed: TIME", {}],
    ["info", "outer: TIME", { user: "Ada", step: 1, size: 2 }],
  ]);
});

test("trace returns what the function returns, and throws what it throws, which the line tells", async () => {
  const lines = await linesOf(async () => {
    expect(await logger.trace("good", async () => 7)).toBe(7);
    const bad = logger.trace("bad", async () => {
      throw new RangeError("too far");
    });
    await expect(bad).rejects.toThrow("too far");
  });
  expect(lines).toEqual([
    ["info", "good: TIME", {}],
    ["error", "bad: TIME, failed: RangeError: too far", {}],
  ]);
});

test("startSpan makes a span that ends once, when it is told to; it is not what other code is inside of", async () => {
  const lines = await linesOf(async () => {
    const span = logger.startSpan("alone", { attributes: { a: 1 }, icon: "tool" });
    await logger.trace("other", async () => {});
    expect(span.isRecording()).toBe(true);
    span.setStatus({ code: 2, message: "not found" }).addEvent("seen").addLink({}).addLinks([]);
    span.end();
    span.setAttribute("late", true).updateName("late");
    span.end();
    expect(span.isRecording()).toBe(false);
  });
  expect(lines).toEqual([
    ["info", "other: TIME", {}],
    ["error", "alone: TIME, failed: not found", { a: 1 }],
  ]);
});

test("spans inside each other share a trace", async () => {
  await linesOf(() =>
    logger.trace("outer", async (outer) =>
      logger.trace("inner", async (inner) => {
        expect(inner.spanContext().traceId).toBe(outer.spanContext().traceId);
        expect(inner.spanContext().spanId).not.toBe(outer.spanContext().spanId);
        expect(inner.spanContext()).toEqual({
          traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
          spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
          traceFlags: 0,
        });
      }),
    ),
  );
});

test("outside a run a function is called, and nothing is written", async () => {
  expect(await logger.trace("outside", async (span) => span.isRecording())).toBe(true);
});

test("types are those of Trigger.dev's logger", () => {
  expectTypeOf(logger.trace("a", async () => 7)).resolves.toBeNumber();
  expectTypeOf(logger.startSpan).returns.toExtend<Span>();
});
