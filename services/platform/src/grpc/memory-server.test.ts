import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectError, createClient, type ServiceImpl } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { RunService, TriggerStreamRequestSchema, TriggerStreamResponseSchema } from "#gen/runlane/v1/run_service_pb.js";
import { WorkerService } from "#gen/runlane/v1/worker_service_pb.js";
import { principalOf } from "../auth/principal.js";
import { reasonOf, refusal } from "../errors.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { bidi, rawBidi } from "./bidi-stream.js";
import { grpcService } from "./grpc-service.js";
import { createMemoryServer } from "./memory-server.js";

const streamPath = "/runlane.v1.RunService/TriggerStream";
const workPath = "/runlane.v1.WorkerService/Work";

function serve(runs: Partial<ServiceImpl<typeof RunService>>, workers: Partial<ServiceImpl<typeof WorkerService>> = {}) {
  const { logger, lines } = recordingLogger();
  const services = [grpcService(RunService, runs), grpcService(WorkerService, workers)];
  return { server: createMemoryServer(services, { principal: { environment: "dev" }, logger }), lines };
}

/** Opens a stream, and gathers what is heard until it is over. */
function open(server: ReturnType<typeof serve>["server"], path: string) {
  const frames: Uint8Array[] = [];
  const closed = vi.fn<(error: ConnectError | undefined) => void>();
  return { frames, closed, stream: server.openStream(path, { onFrame: (frame) => frames.push(frame), onClose: closed }) };
}

const request = (id: string) =>
  toBinary(TriggerStreamRequestSchema, create(TriggerStreamRequestSchema, { frame: { case: "unwatch", value: { runIds: [id] } } }));
const response = (id: string) => ({ frame: { case: "results" as const, value: { unknownRunIds: [id] } } });
const idsOf = (frames: Uint8Array[]) =>
  frames.map((frame) => {
    const { frame: read } = fromBinary(TriggerStreamResponseSchema, frame);
    return read.case === "results" ? read.value.unknownRunIds[0] : read.case;
  });

describe("calls", () => {
  test("reach their handler, which knows who calls", async () => {
    const { server } = serve({ getRun: (asked, context) => ({ run: { id: asked.runId, taskId: principalOf(context).environment } }) });
    expect(await createClient(RunService, server.transport).getRun({ runId: "run_1" })).toMatchObject({ run: { id: "run_1", taskId: "dev" } });
  });

  test("fail with what a network would carry: reason and details, and not what lies underneath", async () => {
    const { server, lines } = serve({
      getRun: () => {
        throw refusal("RUN_NOT_FOUND", "there is no run");
      },
      cancelRun: () => {
        throw new TypeError("a secret");
      },
    });
    const client = createClient(RunService, server.transport);
    const missing: unknown = await client.getRun({}).catch((error: unknown) => error);
    expect([reasonOf(missing), (missing as ConnectError).code]).toEqual(["RUN_NOT_FOUND", Code.NotFound]);
    const defect: unknown = await client.cancelRun({}).catch((error: unknown) => error);
    expect([reasonOf(defect), (defect as ConnectError).message.includes("secret")]).toEqual(["INTERNAL", false]);
    expect(JSON.stringify(lines)).toContain("a secret");
  });
});

describe("a stream", () => {
  test("carries encoded messages in order, and never within the call", async () => {
    const { server } = serve({
      triggerStream: bidi(RunService.method.triggerStream, (stream) => ({
        onMessage: ({ frame }) => stream.send(response(frame.case === "unwatch" ? (frame.value.runIds[0] ?? "") : "")),
      })),
    });
    const { stream, frames, closed } = open(server, streamPath);
    for (const id of ["a", "b", "c"]) stream.send(request(id));
    expect(frames).toEqual([]);
    stream.end();
    await vi.waitFor(() => expect(closed).toHaveBeenCalledExactlyOnceWith(undefined));
    expect(idsOf(frames)).toEqual(["a", "b", "c"]);
  });

  test("passes the bytes of a relay as they are", async () => {
    const { server } = serve({}, { work: rawBidi(WorkerService.method.work, (stream) => ({ onMessage: (bytes) => stream.send(bytes) })) });
    const { stream, frames } = open(server, workPath);
    const bytes = Uint8Array.of(255, 0, 7);
    stream.send(bytes);
    await vi.waitFor(() => expect(frames).toEqual([bytes]));
  });

  test("ends with the error that its handler ends it with, after what was sent before", async () => {
    const { server } = serve({
      triggerStream: bidi(RunService.method.triggerStream, (stream) => ({
        onMessage() {
          stream.send(response("last"));
          throw refusal("DRAINING", "the server is stopping");
        },
      })),
    });
    const { stream, frames, closed } = open(server, streamPath);
    stream.send(request("a"));
    stream.send(request("b"));
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce());
    expect([reasonOf(closed.mock.lastCall?.[0]), idsOf(frames)]).toEqual(["DRAINING", ["last"]]);
  });

  test("that the client cancels is over for both", async () => {
    const ended = vi.fn<(error?: ConnectError) => void>();
    const { server } = serve({ triggerStream: bidi(RunService.method.triggerStream, () => ({ onMessage() {}, onClose: ended })) });
    const { stream, closed } = open(server, streamPath);
    stream.cancel();
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce());
    expect([closed.mock.lastCall?.[0]?.code, ended.mock.lastCall?.[0]?.code]).toEqual([Code.Canceled, Code.Canceled]);
  });

  test("to where nobody serves is refused, as over a network: by its end", async () => {
    const { server } = serve({});
    const { closed } = open(server, "/runlane.v1.RunService/Nothing");
    expect(closed).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce());
    expect(reasonOf(closed.mock.lastCall?.[0])).toBe("UNIMPLEMENTED");
  });
});
