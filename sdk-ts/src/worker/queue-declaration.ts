import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ConcurrencyLimitDeclaration, QueueDeclaration, RateLimit } from "#gen/runlane/v1/worker_service_pb.js";
import type { ConcurrencyLimitOptions } from "../queues/concurrency-limit.js";
import type { DeclaredQueue, DeclaredRate } from "../queues/queue.js";

/** A queue of a build, as its worker declares it. */
export function queueDeclaration({ name, concurrencyLimit, totalLimit, rateLimit, keyRateLimit }: DeclaredQueue): QueueDeclaration {
  return {
    $typeName: "runlane.v1.QueueDeclaration",
    name,
    concurrencyLimit,
    totalLimit,
    rateLimit: rateLimit && rateOf(rateLimit),
    keyRateLimit: keyRateLimit && rateOf(keyRateLimit),
  };
}

/** A shared limit of a build, as its worker declares it. */
export function limitDeclaration({ name, perKey, total }: ConcurrencyLimitOptions): ConcurrencyLimitDeclaration {
  return { $typeName: "runlane.v1.ConcurrencyLimitDeclaration", name, perKey, total };
}

function rateOf({ limit, periodMs, burst }: DeclaredRate): RateLimit {
  return { $typeName: "runlane.v1.RateLimit", limit, period: durationFromMs(periodMs), burst };
}
