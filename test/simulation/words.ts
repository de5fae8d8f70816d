import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Observation } from "./oracle/observation.js";

/** An observation in a line, for whoever reads how a history failed. */
export function inWords({ now, cause, events }: Observation): string {
  const why =
    cause.kind === "frame"
      ? `frame of ${cause.streamId} (${parts(cause.request)})`
      : cause.kind === "hello"
        ? helloOf(cause)
        : cause.kind === "closed"
          ? `closed ${cause.streamId}`
          : cause.kind;
  return `${now % 100_000_000} ${why}: ${events.map(eventInWords).join("; ")}`;
}

function helloOf({ hello, streamId }: Extract<Observation["cause"], { kind: "hello" }>): string {
  return `hello of ${hello.workerId} #${hello.incarnation}, ${hello.buildId}, ${hello.slots} slots on ${streamId}, holding ${hello.held.length}`;
}

function parts(request: object): string {
  return Object.entries(request)
    .filter(([name, value]) => !name.startsWith("$") && value !== undefined && (!Array.isArray(value) || value.length > 0))
    .map(([name, value]) => (Array.isArray(value) ? `${value.length} ${name}` : name))
    .join(", ");
}

function eventInWords({ event }: Event): string {
  if (event.case === "runsCreated") {
    const { runs, firstNumber, parent } = event.value;
    return `created ${firstNumber} … ${runs.map((run) => [run.taskId, run.queue, run.settings?.concurrencyKey, run.settings?.machine, run.settings?.version].filter(Boolean).join("/")).join(" ")}${parent ? ` by ${parent}` : ""}`;
  }
  if (event.case === "tasksDeclared") {
    return `declared ${event.value.tasks.map(({ id, queue, concurrencyLimit, machine }) => [id, queue, concurrencyLimit, machine].filter((part) => part !== "" && part !== undefined).join("/")).join(" ")}`;
  }
  const { case: kind, value } = event;
  const facts = value && Object.entries(value).filter(([name, fact]) => !name.startsWith("$") && typeof fact !== "object" && name !== "nonce" && fact !== "");
  return `${kind} ${facts?.map(([name, fact]) => `${name} ${fact}`).join(" ") ?? ""}`;
}
