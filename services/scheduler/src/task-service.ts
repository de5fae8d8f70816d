import { readFileSync } from "node:fs";
import { type GrpcService, grpcService, principalOf } from "@runlane/platform";
import { TaskService } from "@runlane/platform/gen/runlane/v1/task_service_pb.js";
import { callLimits, type OwnerClient } from "./owner-client.js";
import { readPage } from "./read-page.js";

/** Tells the server's version; the contract names it. */
const versionHeader = "runlane-version";
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

/** The public TaskService. */
export function taskService(owner: OwnerClient): GrpcService {
  return grpcService(TaskService, {
    async listTasks(request, context) {
      const { environment } = principalOf(context);
      // For `runlane doctor`: on a call that is rare.
      context.responseHeader.set(versionHeader, version);
      const read = (after: string, limit: number) =>
        owner.call((service, options) => service.readTasks({ environment, after, limit }, options), callLimits(context));
      const { tasks, nextPageToken } = await readPage({ method: "ListTasks", environment }, request, read, (answer) => answer.tasks.map(({ id }) => id));
      return { tasks, nextPageToken };
    },
  });
}
