import type { ConnectError, ServiceImpl } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { RunService } from "#gen/runlane/v1/run_service_pb.js";
import type { Authenticate } from "../auth/principal.js";
import { refusal } from "../errors.js";
import { grpcService } from "../grpc/grpc-service.js";
import { Readiness } from "../health/readiness.js";
import { type HttpServer, type HttpServerOptions, startHttpServer } from "../http/http-server.js";
import { recordingLogger } from "./recording-logger.js";

/** What lets a call in. */
export const headers = { authorization: "Bearer key" };

const authenticate: Authenticate = (given) => {
  if (given === undefined) throw refusal("MISSING_KEY", "no key");
  if (given !== headers.authorization) throw refusal("INVALID_KEY", "wrong key");
  return { environment: "dev" };
};

/** An HTTP server with a RunService, its readiness, and what it logs. Ends with the test. */
export async function serveHttp(
  implementation: Partial<ServiceImpl<typeof RunService>>,
  options: Partial<HttpServerOptions> = {},
): Promise<{ server: HttpServer; readiness: Readiness; lines: Record<string, unknown>[] }> {
  const { logger, lines } = recordingLogger();
  const readiness = new Readiness();
  const server = await startHttpServer({ listen: "127.0.0.1:0", readiness, logger, ...options });
  onTestFinished(() => server.close());
  server.serve([grpcService(RunService, implementation)], authenticate);
  return { server, readiness, lines };
}

/** The error of a call that must fail. */
export function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => Promise.reject(new Error("the call did not fail")),
    (error: ConnectError) => error,
  );
}
