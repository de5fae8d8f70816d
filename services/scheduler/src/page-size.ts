import { invalidFields } from "@runlane/platform";
import { limits } from "./limits.js";

/** How many entries a page of tasks or versions has at most, by what its request asks for. @throws ConnectError INVALID_ARGUMENT for a negative number. */
export function pageSizeOf(asked: number): number {
  if (asked < 0) throw invalidFields([{ field: "page_size", description: "must not be negative" }]);
  return asked === 0 ? limits.defaultPageSize : Math.min(asked, limits.pageSize);
}
