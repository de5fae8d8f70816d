import { configure, runs, tasks, wait } from "@runlane/sdk";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { asking, together, waiting } from "./fixtures/waiting/tasks.js";
import { runlane } from "./support/command-line.js";
import { eventually } from "./support/eventually.js";
import { TestServer } from "./support/test-server.js";
import { TestWorker } from "./support/test-worker.js";
import { MortalServer } from "./survival/mortal-server.js";

// What runs wait for until somebody completes it: a person, another program, a system that knows nothing but a URL.
let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start({ onCleanUp: afterAll, args: ["--public-url", "https://runlane.example/base/"] });
  configure({ baseURL: server.address, secretKey: server.secretKey });
  new TestWorker(server, "waiting", { concurrency: 10, onCleanUp: afterAll });
});

/** Triggers a run that waits for a token, and resolves when it does. */
async function waitingRun(token: string) {
  const handle = await tasks.trigger<typeof waiting>("waiting", { token });
  await eventually("the run waits", async () => (await runs.retrieve(handle)).status === "WAITING");
  return handle;
}

/** POSTs to a callback URL, at the server as it is reached here. */
function callBack(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url.replace("https://runlane.example/base", server.httpAddress), { method: "POST", ...init });
}

describe("a run that waits for a token", () => {
  test("goes on with what a program completes it with, and so does every other that waits for it, now or later", async () => {
    const { id } = await wait.createToken();
    const handles = await Promise.all([waitingRun(id), waitingRun(id)]);
    expect(await wait.completeToken({ id }, { by: "program" })).toEqual({ success: true });
    expect(await wait.completeToken(id, { by: "somebody else" })).toEqual({ success: true });
    handles.push(await tasks.trigger<typeof waiting>("waiting", { token: id }));
    for (const handle of handles) expect((await runs.poll(handle)).output).toEqual({ ok: true, output: { by: "program" } });
  });

  test("goes on with what is POSTed to its callback URL, by whoever knows nothing else", async () => {
    const token = await wait.createToken();
    expect(token.url).toMatch(/^https:\/\/runlane\.example\/base\/api\/v1\/waitpoints\/tokens\/waitpoint_\w+\/callback\/\w{32,}$/);
    const handle = await waitingRun(token.id);
    const response = await callBack(token.url, { body: '{"by":"a webhook"}', headers: { "content-type": "application/json" } });
    expect([response.status, await response.json()]).toEqual([200, { success: true }]);
    expect((await runs.poll(handle)).output).toEqual({ ok: true, output: { by: "a webhook" } });
    expect((await callBack(token.url)).status).toBe(200);
  });

  test("hears of the time-out, as a result or thrown by unwrap", async () => {
    const { id } = await wait.createToken({ timeout: "2s" });
    expect((await runs.poll(await waitingRun(id))).output).toEqual({ ok: false, error: "WaitpointTimeoutError" });
    const run = await runs.poll(await tasks.trigger<typeof asking>("asking", { timeout: "1s" }, { maxAttempts: 1 }));
    expect(run.error).toMatchObject({ name: "WaitpointTimeoutError" });
  });

  test("may have made it itself, and outlives its worker meanwhile", async () => {
    const other = await TestServer.start();
    const client = { baseURL: other.address, secretKey: other.secretKey };
    onTestFinished(() => configure({ baseURL: server.address, secretKey: server.secretKey }));
    configure(client);
    const first = new TestWorker(other, "waiting");
    const handle = await tasks.trigger<typeof asking>("asking", { timeout: "1h" });
    const token = await eventually("there is a token", async () => (await wait.listTokens({ tags: handle.id })).data[0]);
    await eventually("the run waits", async () => (await runs.retrieve(handle)).status === "WAITING");
    await first.program.kill();
    new TestWorker(other, "waiting");
    await wait.completeToken(token!.id, "yes");
    expect(await runs.poll(handle)).toMatchObject({ status: "COMPLETED", output: "yes", attemptCount: 1 });
    expect((await wait.listTokens({ tags: handle.id })).data).toHaveLength(1);
  });
});

describe("a callback URL", () => {
  test.each([
    ["another secret", (url: string) => `${url.slice(0, -1)}${url.endsWith("0") ? "1" : "0"}`, {}, 404],
    ["another token", (url: string) => url.replace(/waitpoint_\w+/, "waitpoint_0000000000000"), {}, 404],
    ["what is no JSON", (url: string) => url, { body: "yes" }, 400],
    ["more than a payload may have", (url: string) => url, { body: JSON.stringify("x".repeat(140_000)) }, 413],
    ["a GET", (url: string) => url, { method: "GET" }, 405],
  ])("refuses %s, and completes nothing", async (_, change, init, status) => {
    const token = await wait.createToken();
    const response = await callBack(change(token.url), init);
    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([status, expect.arrayContaining([expect.stringMatching(/error|code/)])]);
    expect(response.headers.get("allow")).toBe(status === 405 ? "POST" : null);
    expect((await wait.retrieveToken(token.id)).status).toBe("WAITING");
  });
});

test("a key finds the same token, and runs that wait for a time with one key wait for the same", async () => {
  const first = await wait.createToken({ idempotencyKey: "approval", idempotencyKeyTTL: "1h" });
  expect(await wait.createToken({ idempotencyKey: "approval" })).toMatchObject({ id: first.id, isCached: true });
  const early = await tasks.trigger<typeof together>("together", { key: "six seconds" });
  await eventually("the first waits", async () => (await runs.retrieve(early)).status === "WAITING");
  const late = await tasks.trigger<typeof together>("together", { key: "six seconds" });
  const [one, other] = await Promise.all([runs.poll(early), runs.poll(late)]);
  expect(one.output!.ended - one.output!.began).toBeGreaterThanOrEqual(5_900);
  expect(other.output!.ended - one.output!.ended).toBeLessThan(2_000);
});

test("tokens are listed, shown and completed on the command line, and by pages", async () => {
  const tags = ["listed"];
  const made = [];
  for (let i = 0; i < 3; i++) made.unshift((await wait.createToken({ tags })).id);
  await wait.completeToken(made[0]!, { n: 1 });
  const page = await wait.listTokens({ tags, limit: 2 });
  expect(page.data.map(({ id, status }) => [id, status])).toEqual([
    [made[0], "COMPLETED"],
    [made[1], "WAITING"],
  ]);
  const rest = await wait.listTokens({ tags, limit: 2, ...(page.pagination.next ? { after: page.pagination.next } : {}) });
  expect(rest.data.map(({ id }) => id)).toEqual([made[2]]);
  const ask = (...args: string[]) => runlane(["tokens", ...args, "--json"], { env: server.env });
  expect(JSON.parse((await ask("list", "--tag", "listed", "--state", "WAITING")).stdout)).toMatchObject([{ id: made[1] }, { id: made[2] }]);
  expect(JSON.parse((await ask("complete", made[1]!, '{"by":"hand"}')).stdout)).toMatchObject({ state: "COMPLETED", output: { by: "hand" } });
  expect(JSON.parse((await ask("get", made[1]!)).stdout)).toMatchObject({ id: made[1], state: "COMPLETED", tags });
  const unknown = await ask("get", "waitpoint_nothing");
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("TOKEN_NOT_FOUND")]);
});

test("a token that was created is there after a SIGKILL of everything, and so is what it was completed with", async () => {
  const mortal = await MortalServer.start();
  onTestFinished(() => configure({ baseURL: server.address, secretKey: server.secretKey }));
  configure({ baseURL: mortal.server.address, secretKey: mortal.server.secretKey });
  const [open, ended] = [await wait.createToken({ timeout: "1h" }), await wait.createToken()];
  await wait.completeToken(ended.id, { n: 7 });
  await mortal.kill();
  await mortal.restart();
  expect(await wait.retrieveToken(open.id)).toMatchObject({ status: "WAITING" });
  expect(await wait.retrieveToken(ended.id)).toMatchObject({ status: "COMPLETED", output: { n: 7 } });
});
