import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { PortTaken } from "../listening/listen.js";
import { serveHttp } from "../testing/http-test-server.js";
import type { HttpServer } from "./http-server.js";

describe("connections", () => {
  /** Sends bytes, and resolves with what came back when the server has closed the connection. */
  function raw(server: HttpServer, bytes: string): Promise<string> {
    return new Promise((resolve) => {
      let received = "";
      const socket = net.connect(server.port, "127.0.0.1", () => void socket.write(bytes));
      socket.on("data", (chunk) => (received += chunk));
      socket.on("error", () => {});
      socket.on("close", () => resolve(received));
    });
  }

  test.each([
    ["nothing", "", ""],
    ["half of HTTP/2's preface", "PR", ""],
    ["half a header", "POST / HTTP/1.1\r\nHost:", "408"],
    [
      "half a body",
      "POST /runlane.v1.RunService/GetRun HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
      "408",
    ],
  ])("a client that sends %s, and no more, is dropped", async (_what, bytes, answer) => {
    const { server } = await serveHttp({ getRun: () => ({}) }, { headersTimeoutMs: 100, requestTimeoutMs: 300 });
    expect(await raw(server, bytes)).toContain(answer);
  });

  test("bytes may arrive one by one", async () => {
    const { server } = await serveHttp({});
    const socket = net.connect(server.port, "127.0.0.1");
    socket.setNoDelay();
    onTestFinished(() => void socket.destroy());
    let received = "";
    socket.on("data", (chunk) => (received += chunk));
    for (const byte of "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n") {
      socket.write(byte);
      await sleep(1);
    }
    await vi.waitFor(() => expect(received).toContain("200 OK"));
  });

  test.each([
    ["without a host", "GET /livez HTTP/1.0\r\n\r\n", "400"],
    ["with a host that is none", "GET /livez HTTP/1.1\r\nHost: [\r\n\r\n", "400"],
    ["that is no HTTP", "\x16\x03\x01\x02\x00\r\n\r\n", "400"],
  ])("a request %s is answered, and harms nobody", async (_what, bytes, status) => {
    const { server } = await serveHttp({}, { idleTimeoutMs: 2_000 });
    expect(await raw(server, bytes)).toContain(status);
    expect((await fetch(`${server.address}/livez`)).status).toBe(200);
  });

  test("an idle connection is closed, over HTTP/1.1 and HTTP/2", async () => {
    const { server } = await serveHttp({}, { idleTimeoutMs: 100 });
    await raw(server, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    const session = http2.connect(server.address);
    const closed = new Promise((resolve) => session.once("close", resolve));
    await closed;
  });

  test("a connection that is idle does not delay the end", async () => {
    const { server } = await serveHttp({});
    const agent = new http.Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    await new Promise<void>((resolve) => http.get(`${server.address}/livez`, { agent }, (response) => response.resume().on("end", resolve)));
    const session = http2.connect(server.address);
    await new Promise((resolve) => session.once("connect", resolve));
    const silent = net.connect(server.port, "127.0.0.1");
    await new Promise((resolve) => silent.once("connect", resolve));
    const goneAway = new Promise((resolve) => session.once("goaway", resolve));
    silent.on("error", () => {});
    await Promise.all([server.drain(60_000), goneAway]);
  });

  test("a taken port is named, with the option that chooses another", async () => {
    const { server } = await serveHttp({});
    const second = serveHttp({}, { listen: `127.0.0.1:${server.port}` });
    await expect(second).rejects.toThrow(`port ${server.port} on 127.0.0.1 is taken: stop what listens there, or choose another with --http-listen`);
    await expect(second).rejects.toBeInstanceOf(PortTaken);
  });
});
