import { describe, expect, test } from "vitest";
import { headers, serveHttp } from "../testing/http-test-server.js";
import type { HttpServer } from "./http-server.js";

describe("CORS", () => {
  const preflight = (server: HttpServer, origin: string) =>
    fetch(`${server.address}/runlane.v1.RunService/TriggerTasks`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,connect-protocol-version" },
    });

  test.each([
    ["http://localhost:5173", [], true],
    ["http://127.0.0.1:80", [], true],
    ["https://app.example.com", [], false],
    ["http://localhost.evil.example", [], false],
    ["https://app.example.com", ["https://app.example.com"], true],
    ["https://app.example.com", ["*"], true],
    ["null", ["https://app.example.com"], false],
  ])("a page of %s, with %j allowed: %s", async (origin, corsOrigins, allowed) => {
    const { server } = await serveHttp({ getRun: () => ({}) }, { corsOrigins });
    const answer = await preflight(server, origin);
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null);
    expect(answer.headers.get("access-control-max-age")).toBe(allowed ? "7200" : null);
    const call = await fetch(`${server.address}/runlane.v1.RunService/GetRun`, {
      method: "POST",
      headers: { ...headers, origin, "content-type": "application/json" },
      body: "{}",
    });
    expect(call.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null);
    expect(call.headers.get("vary")).toBe("Origin");
    if (allowed) {
      expect(answer.headers.get("access-control-allow-headers")?.toLowerCase()).toMatch(/authorization.*connect-protocol-version.*x-grpc-web/);
      expect(call.headers.get("access-control-expose-headers")?.toLowerCase()).toContain("grpc-status-details-bin");
    }
  });

  test("an origin with a path is none", async () => {
    await expect(serveHttp({}, { corsOrigins: ["https://app.example.com/"] })).rejects.toThrow('"https://app.example.com/" is no origin');
  });
});
