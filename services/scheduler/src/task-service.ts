import { readFileSync } from "node:fs";
import { type GrpcService, grpcService, principalOf } from "@runlane/platform";
import { TaskService } from "@runlane/platform/gen/runlane/v1/task_service_pb.js";
import type { OwnerClient } from "./owner-client.js";
import { pageSizeOf } from "./page-size.js";
import { pageStart, pageToken } from "./page-token.js";

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
      const list = { method: "ListTasks", environment };
      const limit = pageSizeOf(request.pageSize);
      const after = pageStart(list, request.pageToken);
      const callLimits = { timeoutMs: context.timeoutMs(), signal: context.signal };
      const read = (start: string, most: number) =>
        owner.call((service, options) => service.readTasks({ environment, after: start, limit: most }, options), callLimits);

      const { tasks } = await read(after, limit);
      const last = tasks.at(-1);
      // A full page may be the last one, and a page may be shorter because its tasks are large; only a look behind it tells. A token that leads to an empty page would be a lie.
      const more = last !== undefined && (await read(last.id, 1)).tasks.length > 0;
      return { tasks, nextPageToken: more ? pageToken(list, last.id) : "" };
    },
  });
}
