import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { reasonOf } from "../errors.js";
import { GrpcTestClient } from "../testing/grpc-test-client.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { startGrpcServer } from "./grpc-server.js";
import { grpcService } from "./grpc-service.js";

const { getRun, triggerAndWait, triggerStream } = RunService.method;

test("a server that stops tells streams to go on elsewhere, and lets other calls end", async () => {
  let answer = () => {};
  const begun = vi.fn();
  const server = await startGrpcServer({
    listen: "127.0.0.1:0",
    services: [
      grpcService(RunService, {
        getRun: () => {
          begun();
          return new Promise((resolve) => {
            answer = () => resolve({ run: { id: "late" } });
          });
        },
        async *triggerAndWait(_request, { signal }) {
          yield {};
          await sleep(60_000, undefined, { signal });
        },
        async *triggerStream(_requests, { signal }) {
          yield {};
          await sleep(60_000, undefined, { signal });
        },
      }),
    ],
    authenticate: () => ({ environment: "dev" }),
    logger: recordingLogger().logger,
  });
  const client = new GrpcTestClient(server.port);
  onTestFinished(async () => {
    client.close();
    await server.close();
  });
  const unary = client.call(getRun, {});
  const watch = client.open(triggerAndWait);
  watch.send({});
  watch.end();
  const stream = client.open(triggerStream);
  await Promise.all([watch.next(), stream.next()]);
  await vi.waitFor(() => expect(begun).toHaveBeenCalled());

  const drained = server.drain(60_000);
  expect(reasonOf(await stream.ended)).toBe("DRAINING");
  expect(reasonOf(await watch.ended)).toBe("DRAINING");
  answer();
  expect((await unary).run?.id).toBe("late");
  await drained;
});
