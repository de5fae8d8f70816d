import type { DescService } from "@bufbuild/protobuf";
import { type Client, ConnectError, createClient, createRouterTransport, type Interceptor, type ServiceImpl } from "@connectrpc/connect";
import { createMemoryTransport, type HttpRoute, MemoryOwnership, MemoryPayloadStore, principalKey } from "@runlane/platform";
import { BadRequestSchema } from "@runlane/platform/gen/google/rpc/error_details_pb.js";
import type { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { startScheduler } from "../start-scheduler.js";
import { OwnerDouble } from "./owner-double.js";
import { silentLogger } from "./silent-logger.js";

/** A scheduler in this process over an owner for tests. */
export interface ServedScheduler {
  readonly owner: OwnerDouble;
  /** A client of the environment "dev". */
  client<S extends DescService>(service: S): Client<S>;
  readonly routes: readonly HttpRoute[];
  close(): Promise<void>;
}

/** Where the world is told to reach the scheduler. */
export const publicUrl = "https://runlane.example.com";

const asDev: Interceptor = (next) => (request) => {
  request.contextValues.set(principalKey, { environment: "dev" });
  return next(request);
};

/** Serves a scheduler. `methods` replaces what the owner answers. */
export async function serveScheduler(methods: Partial<ServiceImpl<typeof OwnerService>> = {}): Promise<ServedScheduler> {
  const transport = createMemoryTransport({ logger: silentLogger });
  const directory = new MemoryOwnership();
  const owner = new OwnerDouble(transport, directory);
  owner.methods = methods;
  const payloads = new MemoryPayloadStore();
  const scheduler = await startScheduler({ nodeId: "n1", transport, directory, payloads, publicUrl, logger: silentLogger });
  const router = createRouterTransport(
    ({ service: add }) => {
      for (const { service, implementation } of scheduler.services) add(service, implementation);
    },
    { router: { interceptors: [asDev] } },
  );
  await owner.takeOver(1n);
  return {
    owner,
    routes: scheduler.routes,
    client: (service) => createClient(service, router),
    async close() {
      await scheduler.close();
      await transport.close();
    },
  };
}

/** How a call fails that must not succeed. */
export async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const [outcome] = await Promise.allSettled([call]);
  if (outcome?.status !== "rejected") throw new Error("the call succeeded");
  return ConnectError.from(outcome.reason);
}

/** The fields that a refusal names. */
export function fieldsOf(error: ConnectError): string[] | undefined {
  return error.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field);
}
