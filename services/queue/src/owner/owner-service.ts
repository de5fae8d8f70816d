import type { ServiceImpl } from "@connectrpc/connect";
import { refusal } from "@runlane/platform";
import type { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import type { TaskRecord } from "../engine/environment.js";
import { taskMessageOf } from "../engine/view.js";
import type { Partition } from "./partition.js";

/** A page of tasks is closed at about this many bytes: the internal transport carries 1 MiB. */
const pageBytes = 512 * 1024;

/** OwnerService over a partition. */
export function ownerService(partition: Partition): ServiceImpl<typeof OwnerService> {
  return {
    async triggerRuns(request) {
      const { outcomes, batch } = await partition.triggering.trigger(request);
      const logSequence = BigInt(partition.sequence);
      return { $typeName: "runlane.internal.v1.TriggerRunsResponse", outcomes, logSequence, ...(batch ? { batch } : {}) };
    },
    async readRun({ environment, runId }) {
      const run = await partition.read(environment, runId);
      return { run, logSequence: BigInt(partition.sequence) };
    },
    async stopRun({ environment, runId, reason }) {
      const run = await partition.cancel(environment, runId, reason);
      return { run, logSequence: BigInt(partition.sequence) };
    },
    async readTasks({ environment, after, limit }) {
      const found = partition.durable.environments.get(environment);
      const tasks = found ? [...found.tasks.values()].filter((task) => task.declaration.id > after) : [];
      tasks.sort((a, b) => (a.declaration.id < b.declaration.id ? -1 : 1));
      const messages = found ? pageOf(tasks, limit).map((task) => taskMessageOf(partition.volatile, found, task)) : [];
      await partition.settledTasks();
      return { tasks: messages };
    },
    async readVersions({ environment, before, limit }) {
      return { versions: await partition.versions.list(environment, before, limit) };
    },
    async promoteVersion({ environment, version }) {
      return { version: await partition.versions.promote(environment, version) };
    },
    async watchRuns({ environment, subscriber, results, changes, unwatch }) {
      return { unknownRunIds: await partition.watch(environment, subscriber, results, changes, unwatch) };
    },
    async recordPayload({ environment, reference, sizeBytes }) {
      await partition.recordPayload(environment, reference, sizeBytes);
      return {};
    },
    relayFrames(request) {
      partition.relay(request);
      return {};
    },
    async moveRun({ environment, request }) {
      if (!request) throw refusal("INVALID_FIELD", "request must be set");
      const run = await partition.triggering.move(environment, request);
      return { run, logSequence: BigInt(partition.sequence) };
    },
    judgeRun: (request) => partition.flow.judge(request),
    async readBatch({ environment, batchId }) {
      return { batch: await partition.triggering.batch(environment, batchId) };
    },
    async endIdempotencyKey({ environment, taskId, key }) {
      await partition.triggering.endKey(environment, taskId, key);
      return { logSequence: BigInt(partition.sequence) };
    },
    readQueues: (request) => partition.flow.readQueues(request),
    changeQueue: (request) => partition.flow.changeQueue(request),
    readLimits: (request) => partition.flow.readLimits(request),
    changeLimit: (request) => partition.flow.changeLimit(request),
    readEnvironment: (request) => partition.flow.readEnvironment(request),
    changeEnvironment: (request) => partition.flow.changeEnvironment(request),
    async createWaitToken(request) {
      const made = await partition.tokens.create(request);
      return { ...made, logSequence: BigInt(partition.sequence) };
    },
    async readWaitToken({ environment, tokenId }) {
      return { token: await partition.tokens.read(environment, tokenId) };
    },
    async completeWaitToken(request) {
      const token = await partition.tokens.complete(request);
      return { token, logSequence: BigInt(partition.sequence) };
    },
    listWaitTokens: (request) => partition.tokens.list(request),
  };
}

/** The first tasks, `limit` at most, and no more than fit into one message. */
function pageOf(tasks: readonly TaskRecord[], limit: number): readonly TaskRecord[] {
  let bytes = 0;
  const end = tasks.findIndex(({ declaration: { id, description, filePath, queue, payloadSchema } }, index) => {
    bytes += 256 + 3 * (id.length + description.length + filePath.length + queue.length + payloadSchema.length);
    return index === limit || (index > 0 && bytes > pageBytes);
  });
  return end < 0 ? tasks : tasks.slice(0, end);
}
