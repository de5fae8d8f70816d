import { Code, ConnectError } from "@connectrpc/connect";
import { createMemoryTransport, type InternalTransport, MemoryOwnership, reasonOf, refusal } from "@runlane/platform";
import { RetryInfoSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type OwnerCall, OwnerClient } from "./owner-client.js";
import { OwnerDouble } from "./testing/owner-double.js";
import { silentLogger } from "./testing/silent-logger.js";

let transport: InternalTransport;
let directory: MemoryOwnership;
let owner: OwnerDouble;
let client: OwnerClient;

beforeEach(() => {
  transport = createMemoryTransport({ logger: silentLogger });
  directory = new MemoryOwnership();
  owner = new OwnerDouble(transport, directory);
  client = new OwnerClient(transport, directory, 0);
});
afterEach(() => transport.close());

const trigger: OwnerCall<string[]> = async (service, options) => {
  const { outcomes } = await service.triggerRuns({ environment: "dev", requestId: "r", items: [{ taskId: "t" }] }, options);
  return outcomes.map(({ outcome }) => (outcome.case === "runId" ? outcome.value : "refused"));
};
const failureOf = (call: Promise<unknown>) => call.then(() => expect.unreachable("the call succeeded"), ConnectError.from);

test("a call goes to the owner that the directory names", async () => {
  await owner.takeOver(1n);
  expect(await client.call(trigger)).toEqual(["run_1"]);
  await owner.takeOver(2n);
  expect(await client.call(trigger)).toEqual(["run_1"]);
});

test("a call waits while nobody owns the partition", async () => {
  const answer = client.call(trigger);
  await owner.takeOver(1n);
  expect(await answer).toEqual(["run_1"]);
});

test("a call that meets nobody at the owner's address is repeated with the next owner", async () => {
  await owner.takeOver(1n);
  await owner.vanish();
  const answer = client.call(trigger);
  await owner.takeOver(2n);
  expect(await answer).toEqual(["run_1"]);
});

test("a call that is answered NOT_OWNER is repeated, with the same owner too once it has its claim again", async () => {
  let refusals = 3;
  owner.methods = {
    readRun: () => {
      if (refusals-- > 0) throw refusal("NOT_OWNER", "not now");
      return { run: { id: "run_1" } };
    },
  };
  await owner.takeOver(1n);
  const { run } = await client.call((service, options) => service.readRun({ runId: "run_1" }, options));
  expect([run?.id, refusals]).toEqual(["run_1", -1]);
});

test("without an owner in time the answer is UNAVAILABLE, NO_OWNER, with a delay", async () => {
  const error = await failureOf(client.call(trigger, { timeoutMs: 30 }));
  expect([error.code, reasonOf(error), error.findDetails(RetryInfoSchema).length]).toEqual([Code.Unavailable, "NO_OWNER", 1]);
});

test("an owner that does not answer in time is as good as none", async () => {
  owner.methods = { readRun: () => new Promise(() => {}) };
  await owner.takeOver(1n);
  const error = await failureOf(client.call((service, options) => service.readRun({ runId: "run_1" }, options), { timeoutMs: 30 }));
  expect(reasonOf(error)).toBe("NO_OWNER");
});

test("what the owner refuses with is passed on, with its details and without its headers", async () => {
  owner.methods = {
    readRun: (_, context) => {
      context.responseHeader.set("x-inner", "1");
      throw refusal("RUN_NOT_FOUND", "there is no run run_9", { metadata: { run_id: "run_9" } });
    },
  };
  await owner.takeOver(1n);
  const error = await failureOf(client.call((service, options) => service.readRun({ runId: "run_9" }, options)));
  expect([error.code, reasonOf(error), error.rawMessage]).toEqual([Code.NotFound, "RUN_NOT_FOUND", "there is no run run_9"]);
  expect([...error.metadata.keys()]).toEqual([]);
});

test("an aborted call is CANCELED, waiting or under way", async () => {
  const abort = new AbortController();
  const waiting = client.call(trigger, { signal: abort.signal });
  abort.abort();
  expect((await failureOf(waiting)).code).toBe(Code.Canceled);
  expect((await failureOf(client.call(trigger, { signal: abort.signal }))).code).toBe(Code.Canceled);
});
