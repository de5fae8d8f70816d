import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";

/** Whether an event changes what a reader of this run sees. */
export function concernsRun({ event }: Event, number: number): boolean {
  switch (event.case) {
    case "runsCreated": {
      const first = Number(event.value.firstNumber);
      return number >= first && number < first + event.value.runs.length;
    }
    case "runsAccepted":
      return event.value.runs.some((run) => Number(run) === number);
    default:
      return event.value !== undefined && "run" in event.value && Number(event.value.run) === number;
  }
}

/** Whether an event changes what a reader of the list of tasks sees. */
export function concernsTasks({ event }: Event): boolean {
  return event.case === "tasksDeclared" || event.case === "versionCreated";
}

/** Whether an event changes what a reader of the list of versions sees. */
export function concernsVersions({ event }: Event): boolean {
  return event.case === "versionCreated" || event.case === "versionPromoted";
}

/** Whether an event changes what a reader of queues, limits or environments sees, counts of runs aside. */
export function concernsFlow({ event }: Event): boolean {
  switch (event.case) {
    case "tasksDeclared":
    case "queuesDeclared":
    case "queueUpdated":
    case "limitUpdated":
    case "environmentUpdated":
      return true;
    default:
      return false;
  }
}
