import { type GrpcService, grpcService, invalidFields, principalOf } from "@runlane/platform";
import { VersionService } from "@runlane/platform/gen/runlane/v1/version_service_pb.js";
import { limits } from "./limits.js";
import { callLimits, type OwnerClient } from "./owner-client.js";
import { readPage } from "./read-page.js";

/** The public VersionService. */
export function versionService(owner: OwnerClient): GrpcService {
  return grpcService(VersionService, {
    async listVersions(request, context) {
      const { environment } = principalOf(context);
      const read = (before: string, limit: number) =>
        owner.call((service, options) => service.readVersions({ environment, before, limit }, options), callLimits(context));
      const list = { method: "ListVersions", environment };
      const { versions, nextPageToken } = await readPage(list, request, read, (answer) => answer.versions.map(({ version }) => version));
      return { versions, nextPageToken };
    },

    async promoteVersion({ version }, context) {
      if (version === "" || version.length > limits.version) {
        throw invalidFields([{ field: "version", description: `must be 1 to ${limits.version} characters` }]);
      }
      const { environment } = principalOf(context);
      const promoted = await owner.call((service, options) => service.promoteVersion({ environment, version }, options), callLimits(context));
      return { version: promoted.version };
    },
  });
}
