import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type GrpcService, grpcService, invalidFields, principalOf, queueIdOf, queueNameOf, refuseFaults } from "@runlane/platform";
import { type Queue, QueueService } from "@runlane/platform/gen/runlane/v1/queue_service_pb.js";
import { callLimits, type OwnerCall, type OwnerClient } from "./owner-client.js";
import { environmentChangeFaults, limitChangeFaults, limitNameFaults, queueChangeFaults } from "./queue-validation.js";
import { readPage } from "./read-page.js";

/** The public QueueService: queues by their ids or names, limits, and the environment of the caller's key. */
export function queueService(owner: OwnerClient): GrpcService {
  const ask = <T>(context: HandlerContext, call: OwnerCall<T>) => owner.call(call, callLimits(context));

  const implementation: ServiceImpl<typeof QueueService> = {
    async listQueues(request, context) {
      const { environment } = principalOf(context);
      const read = (after: string, limit: number) => ask(context, (service, options) => service.readQueues({ environment, after, limit, name: "" }, options));
      const list = { method: "ListQueues", environment };
      const { queues, totalCount, nextPageToken } = await readPage(list, request, read, (answer) => answer.queues.map(({ name }) => name));
      return { queues: queues.map(withId), totalCount, nextPageToken };
    },

    async getQueue(request, context) {
      const name = nameOf(request.queue);
      const { environment } = principalOf(context);
      const { queues } = await ask(context, (service, options) => service.readQueues({ environment, after: "", limit: 1, name }, options));
      return { queue: queues.map(withId)[0] };
    },

    async updateQueue(request, context) {
      refuseFaults(queueChangeFaults(request));
      const asked = { environment: principalOf(context).environment, request: { ...request, queue: nameOf(request.queue) } };
      const { queue } = await ask(context, (service, options) => service.changeQueue(asked, options));
      return { queue: queue && withId(queue) };
    },

    async listConcurrencyLimits(request, context) {
      const { environment } = principalOf(context);
      const read = (after: string, limit: number) => ask(context, (service, options) => service.readLimits({ environment, after, limit, name: "" }, options));
      const list = { method: "ListConcurrencyLimits", environment };
      const { limits, totalCount, nextPageToken } = await readPage(list, request, read, (answer) => answer.limits.map(({ name }) => name));
      return { limits, totalCount, nextPageToken };
    },

    async getConcurrencyLimit({ name, concurrencyKey }, context) {
      refuseFaults(limitNameFaults(name, concurrencyKey));
      const asked = { environment: principalOf(context).environment, after: "", limit: 1, name, ...(concurrencyKey === undefined ? {} : { concurrencyKey }) };
      const { limits, key } = await ask(context, (service, options) => service.readLimits(asked, options));
      return { limit: limits[0], key };
    },

    async updateConcurrencyLimit(request, context) {
      refuseFaults(limitChangeFaults(request));
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
      refuseFaults(environmentChangeFaults(request));
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
