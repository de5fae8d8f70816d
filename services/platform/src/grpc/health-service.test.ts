import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "#gen/grpc/health/v1/health_pb.js";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import { reasonOf } from "../errors.js";
import { Readiness } from "../health/readiness.js";
import { grpcService } from "./grpc-service.js";
import { healthService } from "./health-service.js";

function serve() {
  const readiness = new Readiness();
  const { implementation } = healthService([grpcService(RunService, {})], readiness);
  return {
    readiness,
    health: createClient(
      Health,
      createRouterTransport(({ service: add }) => void add(Health, implementation as never)),
    ),
  };
}

test("Check and List tell readiness, of the whole and of each service", async () => {
  const { readiness, health } = serve();
  for (const service of ["", "runlane.v1.RunService", "grpc.health.v1.Health"]) expect((await health.check({ service })).status).toBe(Status.SERVING);
  readiness.set("draining", false, "the server is stopping");
  expect((await health.check({})).status).toBe(Status.NOT_SERVING);
  const { statuses } = await health.list({});
  expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
    ["", Status.NOT_SERVING],
    ["runlane.v1.RunService", Status.NOT_SERVING],
    ["grpc.health.v1.Health", Status.NOT_SERVING],
  ]);
});

test("Check of a service that is not served is NOT_FOUND", async () => {
  const error = await serve()
    .health.check({ service: "runlane.v1.Nonsense" })
    .catch((reason: unknown) => ConnectError.from(reason));
  expect(error).toMatchObject({ code: Code.NotFound });
  expect(reasonOf(error)).toBe("SERVICE_NOT_FOUND");
});

test("Watch tells the status at once, and whenever it changes", async () => {
  const { readiness, health } = serve();
  const statuses: Status[] = [];
  for await (const { status } of health.watch({ service: "runlane.v1.RunService" })) {
    statuses.push(status);
    if (statuses.length === 3) break;
    readiness.set("nats", statuses.length % 2 === 0);
  }
  expect(statuses).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
});

test("Watch of a service that is not served says so, and stays", async () => {
  const { health } = serve();
  const controller = new AbortController();
  const statuses: Status[] = [];
  const watching = (async () => {
    for await (const { status } of health.watch({ service: "runlane.v1.Nonsense" }, { signal: controller.signal })) {
      statuses.push(status);
      setImmediate(() => controller.abort());
    }
  })();
  await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
  expect(statuses).toEqual([Status.SERVICE_UNKNOWN]);
});
