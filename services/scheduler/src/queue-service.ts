import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type GrpcService, grpcService, invalidFields, principalOf, queueIdOf, queueNameOf } from "@runlane/platform";
import { type Queue, QueueService } from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import type { OwnerCall, OwnerClient } from "./owner-client.js";
import { pageSizeOf } from "./page-size.js";
import { pageStart, pageToken } from "./page-token.js";
import { environmentChangeFaults, limitChangeFaults, limitNameFaults, queueChangeFaults } from "./queue-validation.js";

/** The public QueueService: queues by their ids or names, limits, and the environment of the caller's key. */
export function queueService(owner: OwnerClient): GrpcService {
  const ask = <T>(context: HandlerContext, call: OwnerCall<T>) => owner.call(call, { timeoutMs: context.timeoutMs(), signal: context.signal });

  const implementation: ServiceImpl<typeof QueueService> = {
    async listQueues(request, context) {
      const { environment } = principalOf(context);
      const list = { method: "ListQueues", environment };
      const limit = pageSizeOf(request.pageSize);
      const after = pageStart(list, request.pageToken);
      const read = (start: string, most: number) =>
        ask(context, (service, options) => service.readQueues({ environment, after: start, limit: most, name: "" }, options));
      const { queues, totalCount } = await read(after, limit);
      const last = queues.at(-1)?.name;
      // Pages may be shorter than asked for, because what is on them is large: only a look behind the last entry tells whether there are more.
      const more = last !== undefined && (await read(last, 1)).queues.length > 0;
      return { queues: queues.map(withId), totalCount, nextPageToken: more ? pageToken(list, last) : "" };
    },

    async getQueue(request, context) {
      const name = nameOf(request.queue);
      const { environment } = principalOf(context);
      const { queues } = await ask(context, (service, options) => service.readQueues({ environment, after: "", limit: 1, name }, options));
      return { queue: queues.map(withId)[0] };
    },

    async updateQueue(request, context) {
      const faults = queueChangeFaults(request);
      if (faults.length > 0) throw invalidFields(faults);
      const asked = { environment: principalOf(context).environment, request: { ...request, queue: nameOf(request.queue) } };
      const { queue } = await ask(context, (service, options) => service.changeQueue(asked, options));
      return { queue: queue && withId(queue) };
    },

    async listConcurrencyLimits(request, context) {
      const { environment } = principalOf(context);
      const list = { method: "ListConcurrencyLimits", environment };
      const limit = pageSizeOf(request.pageSize);
      const after = pageStart(list, request.pageToken);
      const read = (start: string, most: number) =>
        ask(context, (service, options) => service.readLimits({ environment, after: start, limit: most, name: "" }, options));
      const { limits, totalCount } = await read(after, limit);
      const last = limits.at(-1)?.name;
      const more = last !== undefined && (await read(last, 1)).limits.length > 0;
      return { limits, totalCount, nextPageToken: more ? pageToken(list, last) : "" };
    },

    async getConcurrencyLimit({ name, concurrencyKey }, context) {
      const faults = limitNameFaults(name, concurrencyKey);
      if (faults.length > 0) throw invalidFields(faults);
      const asked = { environment: principalOf(context).environment, after: "", limit: 1, name, ...(concurrencyKey === undefined ? {} : { concurrencyKey }) };
      const { limits, key } = await ask(context, (service, options) => service.readLimits(asked, options));
      return { limit: limits[0], key };
    },

    async updateConcurrencyLimit(request, context) {
      const faults = limitChangeFaults(request);
      if (faults.length > 0) throw invalidFields(faults);
      const { environment } = principalOf(context);
      const { limit, key } = await ask(context, (service, options) => service.changeLimit({ environment, request }, options));
      return { limit, key };
    },

    async getEnvironment(_, context) {
      const asked = { environment: principalOf(context).environment };
      const { environment } = await ask(context, (service, options) => service.readEnvironment(asked, options));
      return { environment };
    },

    async updateEnvironment(request, context) {
      const faults = environmentChangeFaults(request);
      if (faults.length > 0) throw invalidFields(faults);
      const asked = { environment: principalOf(context).environment, request };
      const { environment } = await ask(context, (service, options) => service.changeEnvironment(asked, options));
      return { environment };
    },
  };
  return grpcService(QueueService, implementation);
}

/** The name of a queue that a caller names or gives the id of. */
function nameOf(idOrName: string): string {
  const name = queueNameOf(idOrName);
  if (name === undefined) throw invalidFields([{ field: "queue", description: "must be the id or the name of a queue" }]);
  return name;
}

function withId(queue: Queue): Queue {
  return { ...queue, id: queueIdOf(queue.name) };
}
