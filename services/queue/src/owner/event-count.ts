import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";

/** How many events there are, as a replay feels it: each of the runs that a request creates at once counts, for each costs as much as any other event. */
export function eventCountOf(events: readonly Event[]): number {
  let count = events.length;
  for (const { event } of events) if (event.case === "runsCreated" && event.value.runs.length > 1) count += event.value.runs.length - 1;
  return count;
}
