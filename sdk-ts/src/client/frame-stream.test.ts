import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RunService, TriggerStreamRequestSchema, TriggerStreamResponseSchema } from "#gen/runlane/v1/run_service_pb.js";
import { FakeRunService } from "../testing/fake-run-service.js";
import type { FakeServer } from "../testing/fake-server.js";
import type { FrameStream } from "./frame-stream.js";

// Each test is the first that makes a call in its process, as far as the modules know: @grpc/grpc-js is being loaded while it begins.

let service: FakeRunService;
let server: FakeServer;

beforeEach(async () => {
  vi.resetModules();
  service = new FakeRunService();
  server = await service.start();
});

afterEach(() => server.stop());

/** Opens a stream, and hands it to `use` in the same turn; resolves when the call is over. */
async function callOf(use: (stream: FrameStream) => void): Promise<{ answers: string[]; error: ConnectError | undefined }> {
  const [{ openFrameStream }, { createGrpcConnection }] = await Promise.all([import("./frame-stream.js"), import("./grpc-connection.js")]);
  const connection = createGrpcConnection(server.address, "rl_dev_test");
  const answers: string[] = [];
  const error = await new Promise<ConnectError | undefined>((resolve) => {
    const stream = openFrameStream(connection, RunService.method.triggerStream, {
      onFrame(bytes) {
        const { frame } = fromBinary(TriggerStreamResponseSchema, bytes);
        if (frame.case === "outcomes") answers.push(frame.value.requestId);
        if (answers.length === 3) stream.cancel();
      },
      onClose: resolve,
    });
    use(stream);
  });
  connection.close();
  return { answers, error };
}

function trigger(requestId: string): Uint8Array {
  return toBinary(
    TriggerStreamRequestSchema,
    create(TriggerStreamRequestSchema, { frame: { case: "trigger", value: { requestId, items: [{ taskId: "echo" }] } } }),
  );
}

test("what is sent before there is a call arrives when there is one, in order", async () => {
  const { answers, error } = await callOf((stream) => {
    for (const requestId of ["a", "b", "c"]) expect(stream.send(trigger(requestId))).toBe(true);
  });
  expect(answers).toEqual(["a", "b", "c"]);
  expect(error?.code).toBe(Code.Canceled);
});

test("a call that is cancelled before it began is over, and the server hears nothing of it", async () => {
  const { answers, error } = await callOf((stream) => {
    stream.send(trigger("a"));
    stream.cancel();
    expect(stream.send(trigger("b"))).toBe(false);
  });
  expect(error?.code).toBe(Code.Canceled);
  expect(answers).toEqual([]);
  expect(service.streams).toBe(0);
});
