import type { GrpcService, HttpRoute, InternalTransport, Logger, OwnerDirectory, PayloadStore } from "@runlane/platform";
import { SubscriberService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { OwnerClient } from "./owner-client.js";
import { payloadService } from "./payload-service.js";
import { queueService } from "./queue-service.js";
import { runService } from "./run-service.js";
import { Subscriptions } from "./subscriptions.js";
import { taskService } from "./task-service.js";
import { tokenCallback } from "./token-callback.js";
import { tokenService } from "./token-service.js";
import type { TriggerStream } from "./trigger-stream.js";
import { versionService } from "./version-service.js";

/** What a scheduler needs. */
export interface SchedulerOptions {
  /** Names this process among all; part of the address at which owners reach it. */
  nodeId: string;
  /** The way to the owner, and back. */
  transport: InternalTransport;
  /** Says who the owner is. */
  directory: OwnerDirectory;
  /** Where payloads are that are too large for the log. Calls that need it wait until it is there. */
  payloads: PayloadStore | Promise<PayloadStore>;
  logger: Logger;
  /** The address by which the world reaches this server's HTTP, as `https://example.com`: callback URLs of tokens begin with it. */
  publicUrl: string;
  /** The partition that all environments live in. Default 0. */
  partition?: number;
  /** Milliseconds between two sweeps over runs that have been open for long. Default 5,000. */
  sweepIntervalMs?: number;
}

/** A scheduler that runs. */
export interface Scheduler {
  /** The public services, for the listeners. */
  readonly services: GrpcService[];
  /** What is served by HTTP besides. */
  readonly routes: HttpRoute[];
  /** Ends the streams of clients as soon as what they have sent is answered, so that they go on elsewhere. Other calls end by themselves, or by the listener. */
  drain(): void;
  /** Stops hearing of runs. Close the listeners first: calls under way do not end by this. */
  close(): Promise<void>;
}

/** Starts a scheduler: the public API of runs and tasks. Keeps nothing that outlives it, so any number may run. */
export async function startScheduler(options: SchedulerOptions): Promise<Scheduler> {
  const { nodeId, transport, directory, logger } = options;
  const subscriber = `subscriber.${nodeId}`;
  const owner = new OwnerClient(transport, directory, options.partition ?? 0);
  const subscriptions = new Subscriptions(owner, subscriber, logger);
  const streams = new Set<TriggerStream>();
  const served = await transport.serve(subscriber, SubscriberService, {
    notify(request) {
      subscriptions.notify(request);
      return {};
    },
  });
  const sweeps = setInterval(() => void subscriptions.sweep(), options.sweepIntervalMs ?? 5_000).unref();
  return {
    services: [
      runService({ owner, subscriptions, subscriber, logger, streams }),
      taskService(owner),
      versionService(owner),
      queueService(owner),
      payloadService({ owner, payloads: options.payloads }),
      tokenService(owner, options.publicUrl),
    ],
    routes: [tokenCallback(owner)],
    drain() {
      for (const stream of [...streams]) stream.drain();
    },
    async close() {
      clearInterval(sweeps);
      subscriptions.close();
      await served.close();
    },
  };
}
