import { fromBinary } from "@bufbuild/protobuf";
import { refusal, type Violation } from "@runlane/platform";
import { type Hello, type WorkRequest, WorkRequestSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { limitRules, outside, queueRules, type Rule, taskRules } from "./declaration-rules.js";

/** Field 1 of WorkRequest, length-delimited. Encoders write fields in order, and a Hello is alone in its frame: any frame that holds one starts so. */
const helloTag = 0x0a;

/** Whether a frame holds a Hello, by its first byte. Frames that pass are not decoded for this. */
export function holdsHello(frame: Uint8Array): boolean {
  return frame[0] === helloTag;
}

/**
 * Checks a frame that must hold a Hello.
 *
 * @throws ConnectError INVALID_ARGUMENT with reason MALFORMED_FRAME if it is no WorkRequest or holds no Hello, INVALID_FIELD if it breaks a rule.
 */
export function checkHello(frame: Uint8Array): void {
  const request = decode(frame);
  if (request.hello === undefined) throw refusal("MALFORMED_FRAME", "the first frame of a stream must hold a Hello");
  const violations = [...faults(request, request.hello)];
  if (violations.length === 0) return;
  const first = violations[0]!;
  throw refusal("INVALID_FIELD", `${first.field} ${first.description}`, { metadata: { field: first.field }, violations: violations.slice(0, mostViolations) });
}

/** More say nothing new, and an error's details must fit into 4 KiB of metadata. */
const mostViolations = 10;
/** Bytes of what goes into one record of the log, which holds 1 MiB. */
const mostRecordBytes = 512 * 1024;

const helloRules: readonly Rule<Hello>[] = [
  { field: "protocol_revision", description: "must be at least 1", broken: (hello) => hello.protocolRevision < 1 },
  { field: "worker_id", description: "must be 1 to 128 characters", broken: ({ workerId }) => workerId.length < 1 || workerId.length > 128 },
  { field: "tasks", description: "must have at most 10000 entries", broken: (hello) => hello.tasks.length > 10_000 },
  { field: "slots", description: "must be 1 to 100000", broken: (hello) => outside(hello.slots, 1, 100_000) },
  { field: "held", description: "must have tokens of at least 8 bytes", broken: (hello) => hello.held.some(({ token }) => token.length < 8) },
  {
    field: "tasks",
    description: "must have payload_schemas of at most 512 KiB together",
    broken: ({ tasks }) => tasks.reduce((bytes, { payloadSchema }) => bytes + Buffer.byteLength(payloadSchema), 0) > mostRecordBytes,
  },
  { field: "queues", description: "must have at most 10000 entries", broken: (hello) => hello.queues.length > 10_000 },
  { field: "concurrency_limits", description: "must have at most 10000 entries", broken: (hello) => hello.concurrencyLimits.length > 10_000 },
  {
    field: "queues",
    description: "and concurrency_limits must have names of at most 512 KiB together",
    broken: ({ queues, concurrencyLimits }) => [...queues, ...concurrencyLimits].reduce((bytes, { name }) => bytes + name.length + 24, 0) > mostRecordBytes,
  },
  { field: "build_id", description: "must be at most 128 characters", broken: (hello) => hello.buildId.length > 128 },
];

function decode(frame: Uint8Array): WorkRequest {
  try {
    return fromBinary(WorkRequestSchema, frame);
  } catch (cause) {
    throw refusal("MALFORMED_FRAME", "the frame is not a runlane.v1.WorkRequest", { cause });
  }
}

function* faults(request: WorkRequest, hello: Hello): Generator<Violation> {
  if (!isAlone(request)) yield { field: "hello", description: "must be alone in its frame" };
  for (const { field, description, broken } of helloRules) if (broken(hello)) yield { field: `hello.${field}`, description };
  yield* listFaults(hello.tasks, "tasks", "id", taskRules);
  yield* listFaults(hello.queues, "queues", "name", queueRules);
  yield* listFaults(hello.concurrencyLimits, "concurrency_limits", "name", limitRules);
}

/** Faults of each message of a list, whose `key` must be its own. */
function* listFaults<T extends { [key in K]: string }, K extends string>(
  list: readonly T[],
  path: string,
  key: K,
  rules: readonly Rule<T>[],
): Generator<Violation> {
  const keys = new Set<string>();
  for (const [i, message] of list.entries()) {
    for (const { field, description, broken } of rules) if (broken(message)) yield { field: `hello.${path}[${i}].${field}`, description };
    if (keys.has(message[key])) yield { field: `hello.${path}[${i}].${key}`, description: "must not be declared twice" };
    keys.add(message[key]);
  }
}

function isAlone({ accepted, declined, commands, results, cancelConfirmed, heartbeat, heldList, drain }: WorkRequest): boolean {
  if (heartbeat !== undefined || heldList !== undefined || drain !== undefined) return false;
  return [accepted, declined, commands, results, cancelConfirmed].every((items) => items.length === 0);
}
