import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PayloadSchema } from "@runlane/platform/gen/runlane/v1/payload_pb.js";
import { PendingReason, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { CreateTokenRequestSchema } from "@runlane/platform/gen/runlane/v1/token_service_pb.js";
import { AttemptCommandSchema, JournalKind, type Resume } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { describe, expect, it } from "vitest";
import { EngineHarness, type HarnessWorker } from "../testing/engine-harness.js";
import { audit } from "./audit.js";
import { nextDue } from "./decide-tick.js";
import { decideCompleteToken, decideCreateToken } from "./decide-token.js";
import { explain } from "./explain.js";
import { tokenIdOf } from "./run-id.js";
import type { RunRecord } from "./run-record.js";
import { tokenOf } from "./token.js";
import { stateOf } from "./view.js";
import { endedTokenRetention, type WaitToken } from "./wait-token.js";

const json = (text: string) => create(PayloadSchema, { contentType: "application/json", data: new TextEncoder().encode(text) });
const textOf = (resume: Resume | undefined) => new TextDecoder().decode(resume?.end?.output?.data);
const waitKey = { kind: JournalKind.WAIT_TOKEN, name: "" };

/** A server with a worker whose runs wait for tokens. */
class Scene {
  readonly harness = new EngineHarness();
  worker: HarnessWorker = this.connect("w");
  #secrets = 0;

  connect(id: string): HarnessWorker {
    return this.harness.connect({ id, journal: true, tasks: [{ id: "t" }] });
  }

  create(request: MessageInitShape<typeof CreateTokenRequestSchema> = {}): WaitToken {
    return this.asked(request).token;
  }

  asked(request: MessageInitShape<typeof CreateTokenRequestSchema>) {
    let made: ReturnType<typeof decideCreateToken> | undefined;
    this.harness.step((step) => {
      this.#secrets += 1;
      made = decideCreateToken(step, this.harness.environment, create(CreateTokenRequestSchema, request), `secret-${this.#secrets}`);
    });
    if (!made || "reason" in made) throw new Error(made?.message);
    return made;
  }

  complete(token: WaitToken, text?: string): void {
    this.harness.step((step) => void decideCompleteToken(step, this.harness.environment, token, text === undefined ? undefined : json(text)));
  }

  /** A run that executes. */
  start(): RunRecord {
    const [run] = this.harness.trigger("t", 1, { maxAttempts: 1 });
    this.worker.accept();
    return run as RunRecord;
  }

  wait(run: RunRecord, token: WaitToken | string, waitId = 1, journalled = true) {
    const tokenId = typeof token === "string" ? token : tokenIdOf(this.harness.environment, token.number);
    const command = { case: "wait", value: { waitId, condition: { case: "tokenId", value: tokenId } } } as const;
    const key = journalled ? { journalKey: { ...waitKey, occurrence: waitId } } : {};
    return this.worker.send({ commands: [create(AttemptCommandSchema, { token: tokenOf(run), commandId: waitId, command, ...key })] });
  }

  /** What the worker was told of ended waits. */
  get resumes(): Resume[] {
    return this.worker.frames.flatMap(({ resumes }) => resumes);
  }
}

describe("a token", () => {
  it("is completed once: the first says with what", () => {
    const scene = new Scene();
    const token = scene.create({ tags: ["a"] });
    scene.complete(token, "1");
    scene.complete(token, "2");
    expect(token).toMatchObject({ state: "completed", output: json("1"), finishMs: scene.harness.now });
    expect(scene.harness.log.flatMap(({ events }) => events).filter(({ event }) => event.case === "tokenCompleted")).toHaveLength(1);
  });

  it("that nobody completes times out, and not before its time", () => {
    const scene = new Scene();
    const token = scene.create({ timeout: durationFromMs(5_000) });
    scene.harness.advance(4_999);
    expect(token.state).toBe("waiting");
    expect(nextDue({ ...scene.harness, durable: scene.harness.durable, volatile: scene.harness.volatile }, 10_000)).toBeLessThanOrEqual(1);
    scene.harness.advance(1);
    expect(token.state).toBe("timed out");
  });

  it("that stands for a time is completed by its time-out", () => {
    const scene = new Scene();
    const token = scene.create({ timeout: durationFromMs(5_000), timer: true });
    scene.harness.advance(5_000);
    expect([token.state, token.output]).toEqual(["completed", undefined]);
  });

  it("is found by its idempotency key until that ends, also when it has ended itself", () => {
    const scene = new Scene();
    const first = scene.create({ idempotencyKey: "k", idempotencyKeyTtl: durationFromMs(1_000) });
    scene.complete(first);
    expect(scene.asked({ idempotencyKey: "k" })).toEqual({ token: first, cached: true });
    scene.harness.advance(1_000);
    expect(scene.asked({ idempotencyKey: "k" })).toMatchObject({ token: { number: 2 }, cached: false });
  });

  it("is made once by a request that is repeated", () => {
    const scene = new Scene();
    const first = scene.create({ requestId: "r" });
    expect(scene.asked({ requestId: "r" })).toEqual({ token: first, cached: false });
  });

  it("is kept for 30 days after its end, and not for longer", () => {
    const scene = new Scene();
    const token = scene.create({ idempotencyKey: "k", requestId: "r" });
    scene.complete(token);
    scene.harness.advance(endedTokenRetention.ms - 1);
    expect(scene.harness.environment.tokens.byNumber.size).toBe(1);
    scene.harness.advance(1);
    expect(scene.harness.environment.tokens).toMatchObject({ byNumber: new Map(), byKey: new Map(), byRequest: new Map(), next: 2 });
  });
});

describe("a run that waits for a token", () => {
  it("holds no slot meanwhile, says what it waits for, and hears what the token was completed with", () => {
    const scene = new Scene();
    const token = scene.create({ timeout: durationFromMs(60_000) });
    const run = scene.start();
    scene.wait(run, token);
    expect(stateOf(run)).toBe(RunState.WAITING);
    const { reason, subject, dueTime } = explain(scene.harness.volatile, run, scene.harness.now);
    expect([reason, subject, Number(dueTime!.seconds) * 1_000]).toEqual([
      PendingReason.WAITING_FOR_TOKEN,
      tokenIdOf(scene.harness.environment, token.number),
      scene.harness.now + 60_000,
    ]);
    scene.complete(token, '"yes"');
    expect(run.phase).toBe("executing");
    expect(scene.resumes).toMatchObject([{ waitId: 1, end: { timedOut: false } }]);
    expect(textOf(scene.resumes[0])).toBe('"yes"');
    expect(audit(scene.harness.durable)).toEqual([]);
  });

  it("goes on with many others: one token wakes all that wait for it, and each once", () => {
    const scene = new Scene();
    const token = scene.create();
    const runs = [scene.start(), scene.start(), scene.start()];
    for (const run of runs) scene.wait(run, token);
    scene.complete(token, "1");
    expect(runs.map(({ phase }) => phase)).toEqual(["executing", "executing", "executing"]);
    expect(scene.resumes).toHaveLength(3);
  });

  it("that has ended goes on at once", () => {
    const scene = new Scene();
    const token = scene.create();
    scene.complete(token, "1");
    const run = scene.start();
    scene.wait(run, token);
    expect([run.phase, scene.resumes.map(textOf)]).toEqual(["executing", ["1"]]);
  });

  it("hears of its time-out", () => {
    const scene = new Scene();
    const token = scene.create({ timeout: durationFromMs(1_000) });
    const run = scene.start();
    scene.wait(run, token);
    scene.harness.advance(1_000);
    expect(run.phase).toBe("executing");
    expect(scene.resumes).toMatchObject([{ waitId: 1, end: { timedOut: true } }]);
  });

  it("that nobody knows is refused with TOKEN_NOT_FOUND, and executes on", () => {
    const scene = new Scene();
    const run = scene.start();
    for (const [index, id] of ["waitpoint_test000000001", "nonsense", ""].entries()) {
      const [frame] = scene.wait(run, id, index + 1);
      expect(frame!.commandOutcomes[0]!.error?.message).toContain("there is no token");
    }
    expect(run.phase).toBe("executing");
  });

  it("and lost its worker goes on elsewhere, in the same attempt, whenever the token is completed", () => {
    const scene = new Scene();
    const [early, late] = [scene.create(), scene.create()];
    const [one, other] = [scene.start(), scene.start()];
    scene.wait(one, early);
    scene.wait(other, late);
    scene.harness.advance(10_000);
    expect([one.phase, other.phase]).toEqual(["parked", "parked"]);
    scene.complete(early, '"early"');
    expect(one.phase).toBe("revived");
    scene.worker = scene.connect("other");
    expect(scene.worker.accept()).toMatchObject([{ attemptNumber: 1, resumed: true, journalLength: 1 }]);
    expect(scene.worker.frames.flatMap(({ journalParts }) => journalParts.flatMap(({ entries }) => entries))).toMatchObject([
      { key: { kind: JournalKind.WAIT_TOKEN }, waitId: 1, settled: 1, unseen: true, end: { output: json('"early"'), timedOut: false } },
    ]);
    scene.complete(late, '"late"');
    expect(scene.worker.accept()).toMatchObject([{ attemptNumber: 1, resumed: true }]);
    expect(audit(scene.harness.durable)).toEqual([]);
  });

  it("keeps what the token brought when the token is forgotten", () => {
    const scene = new Scene();
    const token = scene.create();
    const run = scene.start();
    scene.wait(run, token);
    scene.complete(token, "7");
    scene.harness.advance(endedTokenRetention.ms);
    expect(scene.harness.environment.tokens.byNumber.size).toBe(0);
    expect(scene.harness.run(run.number).waits?.get(1)?.output).toEqual(json("7"));
  });

  it("is over with its run: a token that is completed later wakes nobody", () => {
    const scene = new Scene();
    const token = scene.create();
    const run = scene.start();
    scene.wait(run, token);
    scene.worker.fail(tokenOf(run));
    scene.complete(token, "1");
    expect([run.phase, scene.resumes, token.waits]).toEqual(["failed", [], []]);
  });

  it("survives a restart of the server, as does the token", () => {
    const scene = new Scene();
    const token = scene.create({ timeout: durationFromMs(5_000), idempotencyKey: "k" });
    const run = scene.start();
    scene.wait(run, token);
    scene.harness.restart();
    const after = scene.harness.environment.tokens.byKey.get("k");
    expect(after).toMatchObject({ secret: token.secret, waits: [{ run: run.number, waitId: 1 }] });
    scene.harness.advance(5_000);
    expect(scene.harness.run(run.number).waits?.get(1)).toMatchObject({ pending: 0, timedOut: true });
  });
});

it("one token that code waits for again and again is not remembered each time", () => {
  const scene = new Scene();
  const token = scene.create();
  for (let i = 0; i < 300; i++) {
    const run = scene.start();
    scene.wait(run, token);
    scene.worker.fail(tokenOf(run));
  }
  expect(token.waits.length).toBeLessThanOrEqual(128);
});

it("more things may fall due at once than one record of the log holds: the rest follows", () => {
  const scene = new Scene();
  for (let i = 0; i < 6_000; i++) scene.create({ timeout: durationFromMs(1_000) });
  scene.harness.advance(1_000);
  const states = () => [...scene.harness.environment.tokens.byNumber.values()].filter(({ state }) => state === "timed out").length;
  expect(states()).toBe(5_000);
  scene.harness.advance(0);
  expect(states()).toBe(6_000);
});
