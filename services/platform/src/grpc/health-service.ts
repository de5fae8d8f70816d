import { Health, HealthCheckResponse_ServingStatus as Status } from "#gen/grpc/health/v1/health_pb.js";
import { refusal } from "../errors.js";
import type { Readiness } from "../health/readiness.js";
import { type GrpcService, grpcService } from "./grpc-service.js";
import { MessageQueue } from "./message-queue.js";

/**
 * gRPC's health service, `grpc.health.v1.Health`: the readiness of this process, under "" and under the name of each of `services`. Needs no key.
 *
 * Check of a name that is not served: NOT_FOUND with reason SERVICE_NOT_FOUND.
 */
export function healthService(services: readonly GrpcService[], readiness: Readiness): GrpcService {
  const names = ["", ...services.map(({ service }) => service.typeName), Health.typeName];
  const status = () => (readiness.ready() ? Status.SERVING : Status.NOT_SERVING);
  return grpcService(
    Health,
    {
      check({ service }) {
        if (!names.includes(service)) throw refusal("SERVICE_NOT_FOUND", `"${service}" is not served here`, { resource: { type: "service", name: service } });
        return { status: status() };
      },

      async *watch({ service }, { signal }) {
        const statuses = new MessageQueue<Status>();
        signal.addEventListener("abort", () => statuses.end(), { once: true });
        statuses.push(names.includes(service) ? status() : Status.SERVICE_UNKNOWN);
        const stop = names.includes(service) ? readiness.onChange(() => statuses.push(status())) : () => {};
        try {
          for await (const next of statuses) yield { status: next };
        } finally {
          stop();
        }
      },

      list: () => ({ statuses: Object.fromEntries(names.map((name) => [name, { status: status() }])) }),
    },
    { withoutKey: true },
  );
}
