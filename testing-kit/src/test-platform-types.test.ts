import { task } from "@runlane/sdk";
import { expectTypeOf, test } from "vitest";
import type { TestPlatform } from "./index.js";

const counting = task({ id: "kit-types-counting", run: async (payload: { from: number }) => payload.from + 1 });
const idle = task({ id: "kit-types-idle", run: async () => {} });
const optional = task({ id: "kit-types-optional", run: async (payload?: string) => payload ?? "none" });

// Only for the compiler.
async function uses(platform: TestPlatform) {
  expectTypeOf((await platform.run(counting, { from: 1 })).output).toEqualTypeOf<number | undefined>();
  expectTypeOf((await platform.run(counting, { from: 1 }, { maxAttempts: 1 })).payload).toEqualTypeOf<{ from: number } | undefined>();
  await platform.run(idle);
  await platform.run(optional);
  await platform.run(optional, "some");
  expectTypeOf((await platform.waitFor(await counting.trigger({ from: 1 }))).output).toEqualTypeOf<number | undefined>();
  // @ts-expect-error its payload has a number
  await platform.run(counting, { from: "one" });
  // @ts-expect-error it takes a payload
  await platform.run(counting);
  // @ts-expect-error a mock returns what the task does
  platform.mock(counting, async () => "two");
  platform.mock(counting, ({ from }, { ctx }) => from + ctx.attempt.number);
}

test("payloads, outputs and mocks have the types of their task", () => {
  expectTypeOf(uses).returns.resolves.toBeVoid();
});
