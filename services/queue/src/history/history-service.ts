import type { ServiceImpl } from "@connectrpc/connect";
import type { HistoryService } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import type { History } from "./history.js";

/** Where the history beside an owner is served. */
export function historyAddress(partition: number, epoch: number): string {
  return `history.${partition}.${epoch}`;
}

/** HistoryService over a history. */
export function historyService(history: History): ServiceImpl<typeof HistoryService> {
  return {
    findRuns: (request) => history.find(request),
    awaitChanges: (request) => history.awaitChanges(request),
  };
}
