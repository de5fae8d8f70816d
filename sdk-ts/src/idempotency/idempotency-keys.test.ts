import { createHash } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { IdempotencyScope } from "#gen/runlane/v1/run_pb.js";
import { idempotencyKeys, NotFoundError } from "../index.js";
import { type RunRuntime, runRuntimeStorage } from "../runtime/run-runtime.js";
import { failureOf, refusalStatus } from "../testing/fake-server.js";
import { serveRuns } from "../testing/served-runs.js";
import { itemKey, wireKey } from "./idempotency-key.js";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const ctx = { run: { id: "run_7" }, attempt: { number: 2 } };
const inside = <T>(code: () => T): T => runRuntimeStorage().run({ ctx } as unknown as RunRuntime, code);

describe("a key", () => {
  test("is made inside a run of what is given and of its scope's ids", async () => {
    expect(await inside(() => idempotencyKeys.create("k"))).toBe(sha256("k-run_7"));
    expect(await inside(() => idempotencyKeys.create(["a", "b"], { scope: "run" }))).toBe(sha256("a-b-run_7"));
    expect(await inside(() => idempotencyKeys.create("k", { scope: "attempt" }))).toBe(sha256("k-run_7-2"));
    expect(await inside(() => idempotencyKeys.create("k", { scope: "global" }))).toBe(sha256("k"));
  });

  test.each(["run", "attempt", "global"] as const)("outside of a run is global, also with scope %s", async (scope) => {
    expect(await idempotencyKeys.create("k", { scope })).toBe(sha256("k"));
  });

  test("that a trigger is given raw has scope run", () => {
    expect(inside(() => wireKey("t", "k", "30d"))).toMatchObject({
      key: sha256("k-run_7"),
      displayKey: "k",
      scope: IdempotencyScope.RUN,
      ttl: { seconds: 2_592_000n },
    });
    expect(wireKey("t", ["a", "b"], undefined)).toMatchObject({ key: sha256("a-b"), displayKey: "a-b" });
  });

  test("that was made travels as it is, with what it was made of", async () => {
    const made = await inside(() => idempotencyKeys.create("user", { scope: "global" }));
    expect(inside(() => wireKey("t", made, undefined))).toMatchObject({ key: made, displayKey: "user", scope: IdempotencyScope.GLOBAL });
  });

  test("of 64 characters counts as made", () => {
    const text = "x".repeat(64);
    expect(wireKey("t", text, undefined)).toMatchObject({ key: text, displayKey: "", scope: IdempotencyScope.UNSPECIFIED });
  });

  test("that is empty is none", () => {
    for (const empty of ["", [], undefined]) expect([wireKey("t", empty, undefined), itemKey(empty, 0)]).toEqual([undefined, undefined]);
  });

  test("of which there have been thousands since is shown by its hash alone", async () => {
    const early = await idempotencyKeys.create("early", { scope: "global" });
    for (let n = 0; n < 1_000; n++) await idempotencyKeys.create(`later-${n}`);
    expect(wireKey("t", early, undefined)).toMatchObject({ key: early, displayKey: "" });
  });
});

describe("reset", () => {
  let asked: string[];
  /** Keys that the task has. */
  let known: string[];

  serveRuns((service) => {
    asked = [];
    known = [];
    service.more = {
      resetIdempotencyKey: (call) =>
        call.onMessage(({ taskId, key }) => {
          asked.push(`${taskId} ${key}`);
          if (known.includes(key)) call.answer({});
          else call.end(refusalStatus(Code.NotFound, "no such key", "IDEMPOTENCY_KEY_NOT_FOUND"));
        }),
    };
  });

  test("ends a key that was made", async () => {
    const key = await idempotencyKeys.create("k", { scope: "global" });
    known = [key];
    expect(await idempotencyKeys.reset("mail", key)).toEqual({ id: key });
    expect(asked).toEqual([`mail ${key}`]);
  });

  test("makes the key of what is given, its scope and its ids", async () => {
    known = [sha256("k"), sha256("a-b-run_9"), sha256("k-run_9-3"), sha256("k-run_7")];
    await idempotencyKeys.reset("mail", "k", { scope: "global" });
    await idempotencyKeys.reset("mail", ["a", "b"], { parentRunId: "run_9" });
    await idempotencyKeys.reset("mail", "k", { scope: "attempt", parentRunId: "run_9", attemptNumber: 3 });
    await inside(() => idempotencyKeys.reset("mail", "k"));
    expect(asked).toEqual(known.map((key) => `mail ${key}`));
  });

  test("outside of a run needs the ids of the scope", async () => {
    expect((await failureOf<Error>(idempotencyKeys.reset("mail", "k"))).message).toContain("parentRunId");
    expect((await failureOf<Error>(idempotencyKeys.reset("mail", "k", { scope: "attempt", parentRunId: "run_9" }))).message).toContain("attemptNumber");
    expect(asked).toEqual([]);
  });

  test("tries a text of 64 characters as it is, then as what a key is made of", async () => {
    const text = "y".repeat(64);
    known = [sha256(text)];
    await idempotencyKeys.reset("mail", text, { scope: "global" });
    expect(asked).toEqual([`mail ${text}`, `mail ${sha256(text)}`]);
  });

  test("of a key that the task does not have is a NotFoundError", async () => {
    expect(await failureOf(idempotencyKeys.reset("mail", "k", { scope: "global" }))).toBeInstanceOf(NotFoundError);
  });
});
