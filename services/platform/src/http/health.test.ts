import { afterEach, beforeEach, expect, test } from "vitest";
import { Readiness } from "../health/readiness.js";
import { PortTaken } from "../listening/listen.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { type HttpServer, startHttpServer } from "./http-server.js";

let readiness: Readiness;
let listener: HttpServer;
const { logger } = recordingLogger();

beforeEach(async () => {
  readiness = new Readiness();
  listener = await startHttpServer({ listen: "127.0.0.1:0", readiness, logger });
});
afterEach(() => listener.close());

const ask = async (path: string, method = "GET") => {
  const response = await fetch(`${listener.address}${path}`, { method });
  return [response.status, await response.text()];
};

test("a process that answers is alive, ready or not", async () => {
  readiness.set("nats", false, "the connection is lost");
  expect(await ask("/livez")).toEqual([200, "ok\n"]);
});

test("readyz says why a process is not ready, and when it is again", async () => {
  expect(await ask("/readyz")).toEqual([200, "ok\n"]);
  readiness.set("nats", false, "the connection is lost");
  readiness.set("draining", false, "the server is stopping");
  expect(await ask("/readyz?verbose")).toEqual([503, "nats: the connection is lost\ndraining: the server is stopping\n"]);
  readiness.set("nats", true);
  readiness.set("draining", true);
  expect(await ask("/readyz", "HEAD")).toEqual([200, ""]);
});

test("other methods are refused", async () => {
  expect((await ask("/readyz", "POST"))[0]).toBe(405);
});

test("a taken port is an error that names it and its option", async () => {
  const { host } = new URL(listener.address);
  const failure = await startHttpServer({ listen: host, readiness, logger }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PortTaken);
  expect((failure as Error).message).toContain("--http-listen");
});
