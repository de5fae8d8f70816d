import { Readiness, refusal, startHttpServer } from "@runlane/platform";
import type { CompleteWaitTokenRequest } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { expect, onTestFinished, test } from "vitest";
import { serveScheduler } from "./testing/served-scheduler.js";
import { silentLogger } from "./testing/silent-logger.js";
import { callbackPath } from "./token-callback.js";

const path = callbackPath("waitpoint_1", "secret");

async function served(failure?: () => Error) {
  const completed: CompleteWaitTokenRequest[] = [];
  const scheduler = await serveScheduler({
    completeWaitToken: (request) => {
      if (failure) throw failure();
      if (request.request!.tokenId !== "waitpoint_1" || request.callbackSecret !== "secret") throw refusal("TOKEN_NOT_FOUND", "there is none");
      completed.push(request);
      return { token: { token: { id: "waitpoint_1" } } };
    },
  });
  const http = await startHttpServer({ listen: "127.0.0.1:0", readiness: new Readiness(), logger: silentLogger });
  http.serve(
    [],
    () => {
      throw new Error("a callback needs no key");
    },
    scheduler.routes,
  );
  onTestFinished(async () => {
    await http.close();
    await scheduler.close();
  });
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${http.address}${path}`, { method: "POST", ...init });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return { http, ask, outputs: () => completed.map(({ request }) => Buffer.from(request!.output!.data).toString()), completed };
}

test("a POST of JSON completes the token with it, without a key, whatever it calls its content", async () => {
  const { ask, outputs, completed } = await served();
  const { status, text } = await ask(`${path}?from=mail`, { body: '{"by":"Ann"}', headers: { "content-type": "text/plain" } });
  expect([status, JSON.parse(text)]).toEqual([200, { success: true }]);
  expect(outputs()).toEqual(['{"by":"Ann"}']);
  expect(completed).toMatchObject([{ environment: "", callbackSecret: "secret" }]);
});

test("no body is an empty object", async () => {
  const { ask, outputs } = await served();
  expect((await ask(path)).status).toBe(200);
  expect(outputs()).toEqual(["{}"]);
});

test("what is not JSON completes nothing", async () => {
  const { ask, outputs } = await served();
  const { status, text } = await ask(path, { body: "by=Ann" });
  expect([status, JSON.parse(text).code, outputs()]).toEqual([400, "invalid_argument", []]);
});

test("a wrong secret is answered as a wrong id is", async () => {
  const { ask } = await served();
  const answers = await Promise.all(
    [callbackPath("waitpoint_1", "secrets"), callbackPath("waitpoint_2", "secret"), callbackPath("run_1", "secret"), callbackPath("%00", "%ff")].map(
      async (wrong) => {
        const { status, text } = await ask(wrong, { body: "1" });
        return `${status} ${text}`;
      },
    ),
  );
  expect(answers[0]).toMatch(/^404 /);
  expect(new Set(answers).size).toBe(1);
});

test.each([130 * 1024, 3 * 1024 * 1024])("a body of %i bytes is too large", async (bytes) => {
  const { ask, outputs } = await served();
  // A client that sends on when the answer has come may find its connection closed, and not see it.
  const answer = await ask(path, { body: JSON.stringify("x".repeat(bytes)) }).catch(() => undefined);
  if (answer) expect([answer.status, answer.text]).toEqual([413, expect.stringContaining("PAYLOAD_TOO_LARGE")]);
  expect(outputs()).toEqual([]);
});

test.each(["GET", "PUT", "DELETE"])("%s is not allowed", async (method) => {
  const { ask, outputs } = await served();
  const { status, headers } = await ask(path, { method });
  expect([status, headers.get("allow"), outputs()]).toEqual([405, "POST", []]);
});

test.each([
  [429, () => refusal("LOG_FULL", "full")],
  [503, () => refusal("LOG_UNAVAILABLE", "away")],
  [500, () => new Error("a defect")],
])("a server that cannot answers %i, and whoever sent it tries again", async (status, failure) => {
  const { ask } = await served(failure);
  const answer = await ask(path, { body: "1" });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([status, status === 503 ? "1" : null]);
});

test("a server that stops lets nobody in", async () => {
  const { http, ask } = await served();
  await http.drain(10);
  expect((await ask(path, { body: "1" })).status).toBe(503);
});

test("other paths beside it are unknown", async () => {
  const { ask } = await served();
  expect((await ask("/api/v1/waitpoints/tokens/waitpoint_1/callback")).status).toBe(404);
});
