import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient, createContextValues, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { OwnerService, SubscriberService } from "#gen/runlane/internal/v1/owner_service_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { reasonOf, refusal } from "../errors.js";
import { type InternalTransport, oneWay, type Served } from "./internal-transport.js";

/** Transports under test: one to serve with and one to call with; the same one if callers and servers live in one process. */
export interface TransportPair {
  readonly serving: InternalTransport;
  readonly calling: InternalTransport;
  /** What the logger was told at level error. */
  readonly errors: () => string;
}

/** How a kind of transport is set up, for all tests and for each. */
export interface TransportSetup {
  before?(): Promise<void>;
  open(): Promise<TransportPair>;
  after?(): Promise<void>;
}

const withoutAnswer = () => ({ contextValues: createContextValues().set(oneWay, true) });
const failure = (promise: Promise<unknown>): Promise<ConnectError> =>
  promise.then(
    () => Promise.reject(new Error("the call did not fail")),
    (error: ConnectError) => error,
  );

/** The behaviour of every internal transport. */
export function internalTransportSuite(name: string, setup: TransportSetup): void {
  describe(`the internal transport over ${name}`, () => {
    let pair: TransportPair;
    let address: string;
    let count = 0;
    if (setup.before) beforeAll(setup.before);
    if (setup.after) afterAll(setup.after);
    beforeEach(async () => {
      pair = await setup.open();
      address = `owner.0.${++count}`;
    });
    afterEach(async () => {
      await pair.calling.close();
      await pair.serving.close();
    });

    const serve = (implementation: Partial<ServiceImpl<typeof OwnerService>>, at = address): Promise<Served> =>
      pair.serving.serve(at, OwnerService, implementation as ServiceImpl<typeof OwnerService>);
    const owner = (at = address) => createClient(OwnerService, pair.calling.to(at));
    const reader = () => serve({ readRun: (request) => ({ run: { id: request.runId } }) });

    test("brings a request to its handler and the response back", async () => {
      await serve({ readRun: async ({ environment, runId }) => ({ run: { id: runId, taskId: environment, tags: ["ä", "b"] } }) });
      expect((await owner().readRun({ environment: "dev", runId: "run_1" })).run).toMatchObject({ id: "run_1", taskId: "dev" });
    });

    test("keeps bytes as they are", async () => {
      const seen: number[][] = [];
      await serve({
        relayFrames: ({ frames }) => {
          seen.push(...frames.map(({ frame }) => [...frame]));
          return {};
        },
      });
      const frames = [{ frame: new Uint8Array([0, 255, 10, 13]) }, { frame: new Uint8Array() }];
      await owner().relayFrames({ frames });
      expect(seen).toEqual([[0, 255, 10, 13], []]);
    });

    test("keeps the addresses apart", async () => {
      await serve({ readRun: () => ({ run: { id: "one" } }) });
      await serve({ readRun: () => ({ run: { id: "two" } }) }, `${address}.other`);
      expect((await owner().readRun({})).run?.id).toBe("one");
      expect((await owner(`${address}.other`).readRun({})).run?.id).toBe("two");
    });

    test("brings an error back with its code, message and details, as a new error without metadata", async () => {
      const thrown = refusal("INVALID_FIELD", "no such – thing", { violations: [{ field: "items[0]", description: "is empty" }], metadata: { limit: "5" } });
      thrown.metadata.set("grpc-status", "0");
      await serve({ readRun: () => Promise.reject(thrown) });
      const error = await failure(owner().readRun({}));
      expect(error).toBeInstanceOf(ConnectError);
      expect(error).not.toBe(thrown);
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toBe("no such – thing");
      expect(reasonOf(error)).toBe("INVALID_FIELD");
      expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ limit: "5" });
      expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe("items[0]");
      expect([...error.metadata]).toEqual([]);
    });

    test("hands an error on a second time unchanged", async () => {
      await serve({ readRun: () => Promise.reject(refusal("RUN_NOT_FOUND", "gone")) });
      await serve({ readRun: (request) => owner().readRun(request) }, `${address}.front`);
      expect(reasonOf(await failure(owner(`${address}.front`).readRun({})))).toBe("RUN_NOT_FOUND");
    });

    test("tells the caller of a defect nothing but an id", async () => {
      await serve({
        readRun: () => {
          throw new TypeError("the secret is 42");
        },
      });
      const error = await failure(owner().readRun({}));
      expect(reasonOf(error)).toBe("INTERNAL");
      expect(error.message).not.toContain("secret");
      expect(pair.errors()).toContain("the secret is 42");
      expect(pair.errors()).toContain(error.findDetails(ErrorInfoSchema)[0]?.metadata.error_id);
    });

    test("fails at once with NO_SERVER where nobody serves", async () => {
      const error = await failure(owner("owner.0.nobody").readRun({}));
      expect(error.code).toBe(Code.Unavailable);
      expect(reasonOf(error)).toBe("NO_SERVER");
    });

    test("may be pointed at an address before it has a server", async () => {
      const client = owner();
      expect(reasonOf(await failure(client.readRun({})))).toBe("NO_SERVER");
      await reader();
      expect((await client.readRun({ runId: "r" })).run?.id).toBe("r");
    });

    test("fails with UNIMPLEMENTED for methods that are not served, and for streams", async () => {
      await reader();
      expect(reasonOf(await failure(createClient(SubscriberService, pair.calling.to(address)).notify({})))).toBe("UNIMPLEMENTED");
      expect((await failure(owner().stopRun({}))).code).toBe(Code.Unimplemented);
      const stream = createClient(RunService, pair.calling.to(address)).triggerAndWait({});
      expect((await failure(stream[Symbol.asyncIterator]().next())).code).toBe(Code.Unimplemented);
    });

    test("fails with DEADLINE_EXCEEDED when the answer takes too long, and tells the handler", async () => {
      let context: HandlerContext | undefined;
      let aborted: Promise<unknown> | undefined;
      await serve({
        readRun: (_request, given) => {
          context = given;
          aborted = new Promise((resolve) => given.signal.addEventListener("abort", () => resolve(given.signal.reason)));
          return new Promise<never>(() => {});
        },
      });
      const before = performance.now();
      const error = await failure(owner().readRun({}, { timeoutMs: 60 }));
      expect(performance.now() - before).toBeGreaterThanOrEqual(60);
      expect(error.code).toBe(Code.DeadlineExceeded);
      expect(reasonOf(error)).toBe("DEADLINE_EXCEEDED");
      expect(context?.timeoutMs()).toBeLessThanOrEqual(60);
      expect(reasonOf(await aborted)).toBe("DEADLINE_EXCEEDED");
    });

    test("keeps deadlines apart, however they are mixed", async () => {
      await serve({ readRun: () => new Promise<never>(() => {}) });
      const order: number[] = [];
      await Promise.all([200, 50, 120, 1].map((timeoutMs) => failure(owner().readRun({}, { timeoutMs })).then(() => order.push(timeoutMs))));
      expect(order).toEqual([1, 50, 120, 200]);
    });

    test("ignores an answer that comes too late", async () => {
      let go = () => {};
      await serve({
        readRun: ({ runId }) => (runId ? { run: { id: runId } } : new Promise((resolve) => (go = () => resolve({ run: { id: "late" } })))),
      });
      await failure(owner().readRun({}, { timeoutMs: 20 }));
      go();
      expect((await owner().readRun({ runId: "next" })).run?.id).toBe("next");
    });

    test("gives up when the caller's signal says so", async () => {
      const started = vi.fn();
      await serve({
        readRun: () => {
          started();
          return new Promise<never>(() => {});
        },
      });
      const controller = new AbortController();
      const error = failure(owner().readRun({}, { signal: controller.signal }));
      await vi.waitFor(() => expect(started).toHaveBeenCalled());
      controller.abort();
      expect((await error).code).toBe(Code.Canceled);
      expect((await failure(owner().readRun({}, { signal: controller.signal }))).code).toBe(Code.Canceled);
      expect(started).toHaveBeenCalledTimes(1);
    });

    test("answers 256 calls at once, each with its own answer, whatever their order", async () => {
      await serve({
        readRun: async ({ runId }) => {
          if (Number(runId) % 3 === 0) await sleep(Number(runId) % 7);
          return { run: { id: runId } };
        },
      });
      const client = owner();
      const answers = await Promise.all(Array.from({ length: 256 }, (_, i) => client.readRun({ runId: String(i) })));
      expect(answers.map(({ run }) => run?.id)).toEqual(Array.from({ length: 256 }, (_, i) => String(i)));
    });

    test("delivers calls to an address in the order they were made, one-way ones too", async () => {
      const seen: string[] = [];
      await serve({
        relayFrames: ({ executor }) => {
          seen.push(executor);
          return {};
        },
        readRun: async ({ runId }) => {
          seen.push(runId);
          return {};
        },
      });
      const client = owner();
      const all: Promise<unknown>[] = [];
      for (let i = 0; i < 1_000; i++) {
        all.push(i % 10 === 9 ? client.readRun({ runId: String(i) }) : client.relayFrames({ executor: String(i) }, withoutAnswer()));
      }
      await Promise.all(all);
      expect(seen).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i)));
    });

    test("never runs a handler within the call", async () => {
      let inCall = true;
      const seen: boolean[] = [];
      await serve({
        relayFrames: () => {
          seen.push(inCall);
          return {};
        },
      });
      const sent = owner().relayFrames({}, withoutAnswer());
      inCall = false;
      await sent;
      await vi.waitFor(() => expect(seen).toEqual([false]));
    });

    test("resolves a one-way call as soon as it has left, whatever becomes of it", async () => {
      const handled = vi.fn();
      await serve({
        relayFrames: () => {
          handled();
          return new Promise<never>(() => {});
        },
        watchRuns: () => Promise.reject(refusal("NOT_OWNER", "moved")),
        readTasks: () => Promise.reject(new Error("a defect")),
      });
      const options = withoutAnswer();
      expect((await owner().relayFrames({}, options)).$typeName).toBe("runlane.internal.v1.RelayFramesResponse");
      await owner().watchRuns({}, options);
      await owner().readTasks({}, options);
      await owner("owner.0.nobody").relayFrames({}, options);
      await vi.waitFor(() => expect(handled).toHaveBeenCalled());
      await vi.waitFor(() => expect(pair.errors()).toContain("a defect"));
      expect(pair.errors()).not.toContain("moved");
    });

    test("refuses requests and responses that are too large, by their size", async () => {
      await serve({ readRun: ({ runId }) => ({ run: { id: runId.repeat(2) } }) });
      const large = "x".repeat(600_000);
      const response = await failure(owner().readRun({ runId: large }));
      expect(reasonOf(response)).toBe("FRAME_TOO_LARGE");
      expect(response.rawMessage).toMatch(/the response of ReadRun has 1200\d\d\d bytes/);
      const request = await failure(owner().readRun({ runId: large.repeat(2) }));
      expect(reasonOf(request)).toBe("FRAME_TOO_LARGE");
      expect(request.rawMessage).toMatch(/the request of ReadRun has 1200\d\d\d bytes/);
    });

    test("passes half a megabyte in either direction", async () => {
      await reader();
      const runId = "x".repeat(512 * 1024);
      expect((await owner().readRun({ runId })).run?.id).toBe(runId);
    });

    test("has one server at an address, until that is closed", async () => {
      const served = await reader();
      await expect(reader()).rejects.toThrow(`${address} has a server already`);
      await served.close();
      await served.close();
      expect(reasonOf(await failure(owner().readRun({})))).toBe("NO_SERVER");
      await reader();
      expect((await owner().readRun({ runId: "again" })).run?.id).toBe("again");
    });

    test("waits for calls under way when a server is closed, and answers them", async () => {
      const answers: (() => void)[] = [];
      const served = await serve({ readRun: ({ runId }) => new Promise((resolve) => answers.push(() => resolve({ run: { id: runId } }))) });
      const call = owner().readRun({ runId: "late" });
      await vi.waitFor(() => expect(answers).toHaveLength(1));
      let closed = false;
      const closing = served.close().then(() => {
        closed = true;
      });
      await vi.waitFor(async () => expect(reasonOf(await failure(owner().readRun({}, { timeoutMs: 100 })))).toBe("NO_SERVER"));
      expect(closed).toBe(false);
      for (const answer of answers) answer();
      expect((await call).run?.id).toBe("late");
      await closing;
    });

    test("fails what is pending, and all that follows, with UNAVAILABLE when it is closed", async () => {
      const started = vi.fn();
      await serve({
        readRun: () => {
          started();
          return new Promise<never>(() => {});
        },
      });
      const pending = failure(owner().readRun({}));
      await vi.waitFor(() => expect(started).toHaveBeenCalled());
      await pair.calling.close();
      await pair.calling.close();
      expect((await pending).code).toBe(Code.Unavailable);
      expect((await failure(owner().readRun({}))).code).toBe(Code.Unavailable);
      await expect(pair.calling.serve("x", SubscriberService, { notify: () => ({}) })).rejects.toThrow("closed");
    });

    test.each(["", "a b", "a..b", "a.*", "a.>", ".a", "ä"])("refuses addresses that cannot be told apart from patterns: %j", async (bad) => {
      expect(() => pair.calling.to(bad)).toThrow("is no address");
      await expect(serve({}, bad)).rejects.toThrow("is no address");
    });
  });
}
