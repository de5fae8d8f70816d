import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import type { FetchRetryByStatusOptions, RetryFetchRequestInit } from "./fetch-options.js";
import { retry } from "./retry.js";

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}
type Respond = Answer | "hang" | "break";

/** A server that answers one request after another as it is told; the last answer stands for all that follow. */
async function server(...answers: Respond[]) {
  const requests: { retryCount: string | undefined; method: string | undefined; custom: string | undefined; body: string; at: number }[] = [];
  const http = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)]!;
    const { method, headers } = request;
    const custom = headers["x-custom"] as string | undefined;
    requests.push({ retryCount: headers["x-retry-count"] as string | undefined, method, custom, body: await text(request), at: Date.now() });
    if (answer === "break") request.socket.destroy();
    else if (answer !== "hang") response.writeHead(answer.status, answer.headers).end(answer.body ?? "");
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`, requests };
}

const soon = { minTimeoutInMs: 1, randomize: false, maxTimeoutInMs: 1 };
const backoff = (maxAttempts: number) => ({ strategy: "backoff" as const, maxAttempts, ...soon });
const byStatus = (strategies: FetchRetryByStatusOptions): RetryFetchRequestInit => ({ retry: { byStatus: strategies } });

describe("a response", () => {
  test.each<[string, number, FetchRetryByStatusOptions, number]>([
    ["that is ok is returned", 200, { all: backoff(3) }, 1],
    ["of a status that nobody names is returned", 404, { "5xx": backoff(3) }, 1],
    ["of a status that a key names is asked for again", 503, { "5xx": backoff(3) }, 3],
    ["by the first key that fits", 503, { "500-503": backoff(2), "5xx": backoff(4) }, 2],
    ["by a list", 425, { "401,42x": backoff(2) }, 2],
    ["ten times at most", 500, { all: backoff(50) }, 10],
    ["once, if there is one attempt", 500, { all: backoff(1) }, 1],
  ])("%s", async (_, status, strategies, count) => {
    const { url, requests } = await server({ status, body: "words" });
    const response = await retry.fetch(url, byStatus(strategies));
    expect([response.status, await response.text()]).toEqual([status, "words"]);
    expect(requests.map(({ retryCount }) => retryCount)).toEqual(Array.from({ length: count }, (_, i) => String(i + 1)));
  });

  test("of status 408, 409, 429 or 5xx is asked for again without options, a second later", async () => {
    const asked = [408, 409, 429, 500, 503].map(async (status) => {
      const { url, requests } = await server({ status }, { status: 200 });
      expect((await retry.fetch(url)).status).toBe(200);
      return requests[1]!.at - requests[0]!.at;
    });
    // A timer may be a millisecond early.
    for (const delay of await Promise.all(asked)) expect(delay).toBeGreaterThanOrEqual(999);
  });

  test.each([400, 401, 404, 418, 422])("of status %i is returned without options", async (status) => {
    const { url, requests } = await server({ status });
    expect((await retry.fetch(url)).status).toBe(status);
    expect(requests).toHaveLength(1);
  });
});

describe("headers that tell when to come back", () => {
  const strategy = (resetFormat?: "unix_timestamp" | "unix_timestamp_in_ms" | "iso_8601" | "iso_8601_duration_openai_variant") =>
    byStatus({ "429": { strategy: "headers", limitHeader: "x-limit", remainingHeader: "x-remaining", resetHeader: "x-reset", resetFormat } });
  const inMs = 120;

  test.each<[Parameters<typeof strategy>[0], () => string]>([
    [undefined, () => String(Date.now() + inMs)],
    ["unix_timestamp_in_ms", () => String(Date.now() + inMs)],
    ["iso_8601", () => new Date(Date.now() + inMs).toISOString()],
    ["iso_8601_duration_openai_variant", () => `${inMs}ms`],
  ])("are followed: %s", async (format, reset) => {
    const { url, requests } = await server({ status: 429, headers: { "x-reset": reset() } }, { status: 200 });
    expect((await retry.fetch(url, strategy(format))).status).toBe(200);
    expect(requests).toHaveLength(2);
    if (format === "iso_8601_duration_openai_variant") expect(requests[1]!.at - requests[0]!.at).toBeGreaterThanOrEqual(inMs - 1);
  });

  test("of the past are followed at once", async () => {
    const { url, requests } = await server({ status: 429, headers: { "x-reset": "1795428000" } }, { status: 200 });
    await retry.fetch(url, strategy("unix_timestamp_in_ms"));
    expect(requests).toHaveLength(2);
  });

  test.each<[string, Record<string, string>]>([
    ["are missing", {}],
    ["say nothing", { "x-reset": "later" }],
  ])("and %s: the response is returned", async (_, headers) => {
    const { url, requests } = await server({ status: 429, headers });
    expect((await retry.fetch(url, strategy())).status).toBe(429);
    expect(requests).toHaveLength(1);
  });
});

describe("a filter of bodies", () => {
  const overloaded = { bodyFilter: { error: { type: ["overloaded"] } } };

  test.each<[string, string, number]>([
    ["asks again if it fits", '{"error":{"type":"overloaded"}}', 3],
    ["returns what does not fit, with its body", '{"error":{"type":"other"}}', 1],
    ["returns what is no JSON", "overloaded", 1],
  ])("%s", async (_, body, count) => {
    const { url, requests } = await server({ status: 500, body });
    const response = await retry.fetch(url, byStatus({ "500": { ...backoff(3), ...overloaded } }));
    expect(await response.text()).toBe(body);
    expect(requests).toHaveLength(count);
  });

  test("leaves what does not fit to the keys behind it", async () => {
    const { url, requests } = await server({ status: 500, body: '{"error":{"type":"other"}}' });
    await retry.fetch(url, byStatus({ "500": { ...backoff(5), ...overloaded }, "50x": { ...backoff(4), ...overloaded }, "5xx": backoff(2) }));
    expect(requests).toHaveLength(2);
  });
});

describe("no response", () => {
  test("a connection that breaks is tried again, and thrown in the end", async () => {
    const { url, requests } = await server("break");
    await expect(retry.fetch(url, { retry: { connectionError: { maxAttempts: 3, ...soon } } })).rejects.toThrow(/fetch failed/);
    expect(requests).toHaveLength(3);
  });

  test("a connection that breaks once does no harm", async () => {
    const { url } = await server("break", { status: 200, body: "there" });
    expect(await (await retry.fetch(url, { retry: { connectionError: soon } })).text()).toBe("there");
  });

  test("a server that is not there is tried again", async () => {
    const { url } = await server({ status: 200 });
    const nobody = url.replace(/:\d+/, ":1");
    await expect(retry.fetch(nobody, { retry: { connectionError: { maxAttempts: 2, ...soon } } })).rejects.toThrow(/fetch failed/);
  });

  test("one that takes too long is tried again, and thrown as a TimeoutError in the end", async () => {
    const { url, requests } = await server("hang");
    const asked = retry.fetch(url, { timeoutInMs: 40, retry: { timeout: { maxAttempts: 2, ...soon } } });
    await expect(asked).rejects.toMatchObject({ name: "TimeoutError", message: "there was no response within 40 ms" });
    expect(requests).toHaveLength(2);
  });

  test("the caller's own signal ends it at once", async () => {
    const { url, requests } = await server("hang");
    const controller = new AbortController();
    const asked = retry.fetch(url, { signal: controller.signal, timeoutInMs: 60_000 });
    while (requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error("changed my mind"));
    await expect(asked).rejects.toThrow("changed my mind");
    expect(requests).toHaveLength(1);
  });

  test("what can not be asked for at all is thrown at once", async () => {
    await expect(retry.fetch("no-url", { retry: { connectionError: { minTimeoutInMs: 60_000 } } })).rejects.toThrow(TypeError);
  });
});

describe("a request", () => {
  test("keeps its method, headers and body in every attempt", async () => {
    const { url, requests } = await server({ status: 500 }, { status: 200 });
    await retry.fetch(url, { method: "POST", headers: new Headers({ "x-custom": "mine" }), body: "words", ...byStatus({ all: backoff(2) }) });
    expect(requests).toEqual([1, 2].map((attempt) => expect.objectContaining({ retryCount: String(attempt), method: "POST", custom: "mine", body: "words" })));
  });

  test("may be a Request, whose body can be read once only", async () => {
    const { url, requests } = await server({ status: 500 }, { status: 200 });
    const request = new Request(url, { method: "PUT", headers: { "x-custom": "mine" }, body: "words" });
    expect((await retry.fetch(request, byStatus({ all: backoff(2) }))).status).toBe(200);
    expect(requests).toEqual([1, 2].map((attempt) => expect.objectContaining({ retryCount: String(attempt), method: "PUT", custom: "mine", body: "words" })));
  });
});
