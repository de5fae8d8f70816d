import { toJsonString } from "@bufbuild/protobuf";
import { refuseFaults } from "@runlane/platform";
import { type FindRunsRequest, PageSide } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import type { Run } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import { type ListRunsRequest, RunFilterSchema } from "@runlane/platform/gen/runlane/v1/run_service_pb.js";
import { limits } from "./limits.js";
import { logSequence } from "./log-position.js";
import type { OwnerCallLimits, OwnerClient } from "./owner-client.js";
import { type PagedList, pageStart, pageToken } from "./page-token.js";
import { filterFaults } from "./run-filter-fault.js";
import { runIdFault } from "./validation.js";

/** A page of ListRuns. */
export interface RunPage {
  readonly runs: Run[];
  readonly nextPageToken: string;
  readonly previousPageToken: string;
}

/** Where a page lies: "<id" older than a run, ">id" newer, "]id" newer or that run itself. That is what page tokens hold. */
type Place = Pick<FindRunsRequest, "pivotRunId" | "side" | "withPivot">;

/** Answers ListRuns: checks the request, and asks history. */
export async function listRuns(owner: OwnerClient, environment: string, request: ListRunsRequest, callLimits: OwnerCallLimits): Promise<RunPage> {
  const { filter, pageSize, view } = request;
  const violations = filter ? filterFaults(filter, "filter") : [];
  if (pageSize < 0) violations.push({ field: "page_size", description: "must not be negative" });
  if ([request.pageToken, request.afterRunId, request.beforeRunId].filter((text) => text !== "").length > 1) {
    violations.push({ field: "page_token", description: "must stand alone: a page has one place" });
  }
  refuseFaults(violations);
  const list: PagedList = { method: "ListRuns", environment, filter: filter ? toJsonString(RunFilterSchema, filter) : "" };
  const place = placeOf(list, request);
  const asked = {
    environment,
    ...(filter ? { filter } : {}),
    limit: Math.min(pageSize || limits.defaultRunPageSize, limits.runPageSize),
    view,
    logSequence: logSequence(request.logPosition),
    ...place,
  };
  const { runs, more } = await owner.callHistory((history, options) => history.findRuns(asked, options), callLimits);
  return { runs, ...neighbours(list, place, runs, more) };
}

function placeOf(list: PagedList, { pageToken: token, afterRunId, beforeRunId }: ListRunsRequest): Place {
  const start =
    pageStart(list, token) || (afterRunId && `<${checked(afterRunId, "after_run_id")}`) || (beforeRunId && `>${checked(beforeRunId, "before_run_id")}`);
  if (start === "") return { pivotRunId: "", side: PageSide.UNSPECIFIED, withPivot: false };
  return { pivotRunId: start.slice(1), side: start[0] === "<" ? PageSide.OLDER : PageSide.NEWER, withPivot: start[0] === "]" };
}

function checked(runId: string, field: string): string {
  const fault = runIdFault(runId, field);
  if (fault) throw fault;
  return runId;
}

/** Tokens of the pages on both sides. That there is something on the side that the caller comes from is taken for granted. */
function neighbours(list: PagedList, { side, pivotRunId }: Place, runs: readonly Run[], more: boolean): Omit<RunPage, "runs"> {
  const [newest, oldest] = [runs[0]?.id, runs.at(-1)?.id];
  const older = side !== PageSide.NEWER;
  if (newest === undefined || oldest === undefined) {
    // An empty page: the way back leads to the pivot's side, the pivot included.
    return { nextPageToken: "", previousPageToken: older && pivotRunId ? pageToken(list, `]${pivotRunId}`) : "" };
  }
  return {
    nextPageToken: older && !more ? "" : pageToken(list, `<${oldest}`),
    previousPageToken: (older ? pivotRunId !== "" : more) ? pageToken(list, `>${newest}`) : "",
  };
}
