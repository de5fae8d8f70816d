import { once } from "node:events";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { CallContext } from "./call-context.js";
import { reasonOf } from "./errors.js";

const init = { method: RunService.method.getRun, protocolName: "grpc" };

describe("the context of a call", () => {
  test("names the method and where it was called", () => {
    const context = new CallContext({ ...init, origin: () => "http://host:7400", requestHeader: () => new Headers({ "x-a": "1" }) });
    expect(context.service).toBe(RunService);
    expect(context.url).toBe("http://host:7400/runlane.v1.RunService/GetRun");
    expect(context.requestHeader.get("x-a")).toBe("1");
    expect(context.timeoutMs()).toBeUndefined();
  });

  test("keeps what the handler sets", () => {
    const context = new CallContext(init);
    expect(context.givenHeader).toBeUndefined();
    context.responseHeader.set("x-a", "1");
    context.responseTrailer.set("x-b", "2");
    expect(context.givenHeader?.get("x-a")).toBe("1");
    expect(context.givenTrailer?.get("x-b")).toBe("2");
  });

  test("aborts its signal at the deadline", async () => {
    const context = new CallContext({ ...init, timeoutMs: 30 });
    const before = performance.now();
    await once(context.signal, "abort");
    expect(performance.now() - before).toBeGreaterThan(25);
    expect(reasonOf(context.signal.reason)).toBe("DEADLINE_EXCEEDED");
  });

  test("aborts its signal when the call is over, with the first reason, whoever asks for it when", () => {
    const early = new CallContext({ ...init, timeoutMs: 60_000 });
    const { signal } = early;
    expect(signal.aborted).toBe(false);
    early.end("first");
    early.end("second");
    expect(signal.reason).toBe("first");
    const late = new CallContext(init);
    late.end();
    expect(late.signal.reason).toMatchObject({ code: Code.Canceled });
  });
});
