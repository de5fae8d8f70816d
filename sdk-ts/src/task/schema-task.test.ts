import { describe, expect, test } from "vitest";
import * as z from "zod";
import { schemaTask, task, tasks, zodTask } from "../index.js";
import { valueOfPayload } from "../payload.js";
import { taskRegistry } from "../runtime/task-registry.js";
import type { FakeRunService } from "../testing/fake-run-service.js";
import { failureOf } from "../testing/fake-server.js";
import { serveRuns } from "../testing/served-runs.js";

let transformed = 0;
const schema = z.object({
  name: z.string().default("nobody"),
  count: z.string().transform((text) => {
    transformed += 1;
    return Number(text);
  }),
});
const counted = schemaTask({ id: "counted", schema, run: async (payload) => payload.count });

let service: FakeRunService;
serveRuns((given) => {
  service = given;
});

const triggered = () => [...service.runs.values()].map(({ item }) => valueOfPayload(item.payload));

describe("in the caller", () => {
  // What the compiler would refuse.
  const wrong = { count: 7 } as unknown as { count: string };

  test("what is sent is what was given: defaults and transformations are for the worker", async () => {
    await counted.trigger({ count: "7" });
    await counted.batchTrigger([{ payload: { count: "8" } }]);
    await counted.triggerAndWait({ count: "9" });
    await counted.batchTriggerAndWait([{ payload: { name: "n", count: "10" } }]);
    expect(triggered()).toEqual([{ count: "7" }, { count: "8" }, { count: "9" }, { name: "n", count: "10" }]);
    expect(transformed).toBeGreaterThan(0);
  });

  test("a payload that the schema refuses rejects with the library's own error, and no run is created", async () => {
    const calls = [
      () => counted.trigger(wrong),
      () => counted.triggerAndWait(wrong),
      () => counted.triggerAndWait(wrong).unwrap(),
      () => counted.batchTrigger([{ payload: { count: "7" } }, { payload: wrong }]),
      () => counted.batchTriggerAndWait([{ payload: { count: "7" } }, { payload: wrong }]),
    ];
    for (const call of calls) expect(await failureOf(call())).toBeInstanceOf(z.ZodError);
    expect(triggered()).toEqual([]);
  });

  test("tasks.trigger does not know the schema, and does not check", async () => {
    await tasks.trigger<typeof counted>("counted", wrong);
    expect(triggered()).toEqual([wrong]);
  });

  test("a schema may take its time, and a payload that is changed meanwhile is sent as it was", async () => {
    const slow = zodTask({ id: "slow", schema: z.object({ n: z.number() }).refine(async () => true), run: async () => {} });
    const payload = { n: 1 };
    const trigger = slow.trigger(payload);
    payload.n = 2;
    await trigger;
    expect(triggered()).toEqual([{ n: 1 }]);
  });
});

describe("the registered task", () => {
  const registered = (id: string) => taskRegistry().tasks.find((known) => known.id === id)!;

  test("parses payloads, and shows its schema", async () => {
    expect(await registered("counted").parsePayload!({ count: "7" })).toEqual({ name: "nobody", count: 7 });
    expect(registered("counted").schema).toBe(schema);
    expect(counted.schema).toBe(schema);
  });

  test("has the JSON Schema that was given, which checks nothing", async () => {
    const jsonSchema = { type: "object", properties: { a: { type: "number" } } } as const;
    const open = task({ id: "described", jsonSchema, run: async () => {} });
    expect(open.jsonSchema).toBe(jsonSchema);
    expect(registered("described").jsonSchema).toBe(jsonSchema);
    await open.trigger({ a: "no number" });
    expect(triggered()).toEqual([{ a: "no number" }]);
  });

  test("is refused with a schema that is none, or a JSON Schema that is too long", () => {
    const schemaOf = (schema: unknown) => () => schemaTask({ id: "refused", schema: schema as () => unknown, run: async () => {} });
    expect(schemaOf({ type: "object" })).toThrow("schema must be");
    expect(() => task({ id: "refused", jsonSchema: { description: "x".repeat(65_536) }, run: async () => {} })).toThrow("65536 bytes");
    expect(registered("refused")).toBeUndefined();
  });
});
