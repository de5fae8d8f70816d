import { randomUUID } from "node:crypto";
import { type GrpcService, grpcService, type InternalTransport, type Logger, type OwnerDirectory, principalOf, rawBidi } from "@runlane/platform";
import { ExecutorService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { WorkerService } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { PolledWorkers } from "./polled-workers.js";
import { Relay } from "./relay.js";

/** What an executor needs. */
export interface ExecutorOptions {
  /** Names this process among all; part of the address at which owners reach it. */
  nodeId: string;
  /** The way to the owner, and back. */
  transport: InternalTransport;
  /** Says who the owner is. */
  directory: OwnerDirectory;
  logger: Logger;
  /** The partition that all environments live in. Default 0. */
  partition?: number;
  /** Milliseconds between two looks for streams that lost something unnoticed. Default 1,000. */
  sweepIntervalMs?: number;
}

/** An executor that runs. */
export interface Executor {
  /** The public services, for the listeners. */
  readonly services: GrpcService[];
  /** Asks all workers to open their next streams elsewhere; they keep what they run. The listener ends the streams after `graceMs`. */
  drain(graceMs: number): void;
  /** Stops relaying. Close the listeners first. */
  close(): Promise<void>;
}

/** Starts an executor: the public API of workers. Keeps nothing that outlives it: sessions belong to the owner, so any number may run, and die. */
export async function startExecutor(options: ExecutorOptions): Promise<Executor> {
  const { nodeId, transport, directory, logger } = options;
  const address = `executor.${nodeId}`;
  const streamPrefix = `${nodeId}.${randomUUID().slice(0, 8)}`;
  const relay = new Relay({ executor: address, streamPrefix, transport, directory, logger, partition: options.partition ?? 0 });
  const served = await transport.serve(address, ExecutorService, {
    deliverFrames(request) {
      relay.deliver(request);
      return {};
    },
  });
  const polled = new PolledWorkers(relay);
  const sweep = () => {
    relay.sweep();
    polled.sweep();
  };
  const sweeps = setInterval(sweep, options.sweepIntervalMs ?? 1_000).unref();
  const workerService = grpcService(WorkerService, {
    work: rawBidi(WorkerService.method.work, (stream, context) => relay.open(principalOf(context).environment, stream)),
    poll: (request, context) => polled.poll(principalOf(context).environment, request, context.signal),
    heartbeat: (request, context) => polled.heartbeat(principalOf(context).environment, request, context.signal),
    reportResults: async (request, context) => ({ receipts: await polled.report(principalOf(context).environment, request, context.signal) }),
  });
  return {
    services: [workerService],
    drain: (graceMs) => relay.drain("the server is stopping", graceMs),
    async close() {
      clearInterval(sweeps);
      relay.close();
      await served.close();
    },
  };
}
