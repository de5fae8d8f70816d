import { type GrpcService, grpcService, invalidFields, principalOf } from "@runlane/platform";
import { VersionService } from "@runlane/platform/gen/runlane/v1/version_service_pb.js";
import { limits } from "./limits.js";
import type { OwnerClient } from "./owner-client.js";
import { pageSizeOf } from "./page-size.js";
import { pageStart, pageToken } from "./page-token.js";

/** The public VersionService. */
export function versionService(owner: OwnerClient): GrpcService {
  return grpcService(VersionService, {
    async listVersions(request, context) {
      const { environment } = principalOf(context);
      const list = { method: "ListVersions", environment };
      const limit = pageSizeOf(request.pageSize);
      const before = pageStart(list, request.pageToken);
      const callLimits = { timeoutMs: context.timeoutMs(), signal: context.signal };
      const read = (start: string, most: number) =>
        owner.call((service, options) => service.readVersions({ environment, before: start, limit: most }, options), callLimits);

      const { versions } = await read(before, limit);
      const last = versions.at(-1);
      // Only a look behind a full page tells whether there is more.
      const more = last !== undefined && versions.length === limit && (await read(last.version, 1)).versions.length > 0;
      return { versions, nextPageToken: more ? pageToken(list, last.version) : "" };
    },

    async promoteVersion({ version }, context) {
      if (version === "" || version.length > limits.version) {
        throw invalidFields([{ field: "version", description: `must be 1 to ${limits.version} characters` }]);
      }
      const { environment } = principalOf(context);
      const callLimits = { timeoutMs: context.timeoutMs(), signal: context.signal };
      const promoted = await owner.call((service, options) => service.promoteVersion({ environment, version }, options), callLimits);
      return { version: promoted.version };
    },
  });
}
