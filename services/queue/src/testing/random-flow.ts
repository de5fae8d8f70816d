import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type LimitChangeSchema,
  UpdateConcurrencyLimitRequestSchema,
  UpdateEnvironmentRequestSchema,
  UpdateQueueRequestSchema,
} from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { decideUpdateEnvironment, decideUpdateLimit, decideUpdateQueue } from "../engine/decide-flow.js";
import { type EngineHarness, item, type WorkerSetup } from "./engine-harness.js";

/** What happens to queues and limits in a random world. */
export const flowKinds = ["triggerFlow", "pauseQueue", "overrideQueue", "changeLimit", "overrideKey", "changeEnvironment"] as const;

/** One of them. */
export type FlowKind = (typeof flowKinds)[number];

/** Whether something that happens is one of them. */
export function isFlowKind(kind: string): kind is FlowKind {
  return (flowKinds as readonly string[]).includes(kind);
}

const keys = ["", "x", "y", "z"];

const rate = (limit: number, seconds: number, burst = 0) => ({ limit, period: durationFromMs(seconds * 1_000), burst });

/** What the workers of a build declare besides their tasks. Builds differ, and nobody but the last declares the queue "nowhere". */
export function flowOf(build: string): Pick<WorkerSetup, "queues" | "limits"> {
  switch (build) {
    case "build1":
      return { queues: [{ name: "mails", concurrencyLimit: 2, totalLimit: 3, rateLimit: rate(3, 10) }], limits: [{ name: "shared", total: 2 }] };
    case "build2":
      return { queues: [{ name: "mails", concurrencyLimit: 1, keyRateLimit: rate(2, 5, 3) }], limits: [{ name: "shared", perKey: 1 }] };
    case "settled":
      return { queues: [{ name: "mails" }, { name: "nowhere" }], limits: [{ name: "shared" }] };
    default:
      return {};
  }
}

/** Triggers runs with keys, priorities, weights and limits, or changes what may start; the numbers pick what. */
export function happenToFlow(harness: EngineHarness, kind: FlowKind, taskId: string, a: number, b: number): void {
  const { environment } = harness;
  const change = changeOf(b);
  switch (kind) {
    case "triggerFlow": {
      const asked = {
        concurrencyKey: keys[b % keys.length]!,
        prioritySeconds: (b % 5) - 2,
        weight: 1 + (b % 3),
        ...(a % 4 === 0 ? { limits: ["shared"] } : {}),
      };
      const items = [0, 1].map((i) => ((a + i) % 3 === 0 ? item("free", asked) : item(taskId, { ...asked, queue: a % 7 === 0 ? "nowhere" : "mails" })));
      harness.triggerItems(items);
      return;
    }
    case "pauseQueue":
      return pause(harness, ["mails", "three", "task/free"][a % 3]!, b % 3 === 0);
    case "overrideQueue": {
      const queue = environment.queues.get("mails");
      if (queue) harness.step((step) => decideUpdateQueue(step, queue, create(UpdateQueueRequestSchema, { queue: "mails", concurrencyLimit: change })));
      return;
    }
    case "changeLimit": {
      const limit = environment.flow.limits.get(["shared", "task/free"][a % 2]!);
      const request = { name: limit?.name ?? "", ...(b % 3 === 0 ? { paused: b % 2 === 0 } : b % 3 === 1 ? { total: change } : { perKey: change }) };
      if (limit) harness.step((step) => decideUpdateLimit(step, environment, limit, create(UpdateConcurrencyLimitRequestSchema, request)));
      return;
    }
    case "overrideKey": {
      const limit = environment.flow.limits.get(["shared", "task/free"][a % 2]!);
      const request = { name: limit?.name ?? "", concurrencyKey: keys[a % keys.length]!, perKey: change, ttl: durationFromMs(1_000 + a * 100) };
      if (limit) harness.step((step) => decideUpdateLimit(step, environment, limit, create(UpdateConcurrencyLimitRequestSchema, request)));
      return;
    }
    case "changeEnvironment": {
      const request = b % 4 === 0 ? { paused: a % 4 === 0 } : { concurrencyLimit: changeOf(b % 7), burstFactor: 1 + (a % 3) / 2 };
      harness.step((step) => decideUpdateEnvironment(step, environment, create(UpdateEnvironmentRequestSchema, request)));
    }
  }
}

/** Ends everything that holds runs up and that no declaration ends. */
export function liftFlow(harness: EngineHarness): void {
  const { environment } = harness;
  const reset = changeOf(0);
  const open = create(UpdateEnvironmentRequestSchema, { paused: false, concurrencyLimit: reset });
  harness.step((step) => decideUpdateEnvironment(step, environment, open));
  for (const queue of environment.queues.values()) {
    const request = create(UpdateQueueRequestSchema, { queue: queue.name, paused: false, concurrencyLimit: reset });
    harness.step((step) => decideUpdateQueue(step, queue, request));
  }
  for (const limit of [...environment.flow.limits.values()]) {
    const request = create(UpdateConcurrencyLimitRequestSchema, { name: limit.name, paused: false, total: reset, perKey: reset });
    harness.step((step) => decideUpdateLimit(step, environment, limit, request));
  }
}

function pause(harness: EngineHarness, name: string, paused: boolean): void {
  const queue = harness.environment.queues.get(name);
  if (queue) harness.step((step) => decideUpdateQueue(step, queue, create(UpdateQueueRequestSchema, { queue: name, paused })));
}

function changeOf(b: number): MessageInitShape<typeof LimitChangeSchema> {
  return { change: b % 3 === 0 ? { case: "reset", value: true } : { case: "override", value: b % 5 === 0 ? 0 : 1 + (b % 4) } };
}
