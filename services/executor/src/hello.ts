import { fromBinary } from "@bufbuild/protobuf";
import { isDurationTooShort, refusal } from "@runlane/platform";
import { type Hello, type TaskDeclaration, type WorkRequest, WorkRequestSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";

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

interface Violation {
  field: string;
  description: string;
}

/** A rule of Hello, or of one of its tasks. */
interface Rule<T> {
  readonly field: string;
  readonly description: string;
  broken(message: T): boolean;
}

/** More say nothing new, and an error's details must fit into 4 KiB of metadata. */
const mostViolations = 10;
const name = /^[A-Za-z0-9_\-./:]{1,128}$/;
const nameRule = 'must be 1 to 128 characters of letters, digits and "_-./:"';
const outside = (value: number | undefined, least: number, most: number) => value !== undefined && (value < least || value > most);

const helloRules: readonly Rule<Hello>[] = [
  { field: "protocol_revision", description: "must be at least 1", broken: (hello) => hello.protocolRevision < 1 },
  { field: "worker_id", description: "must be 1 to 128 characters", broken: ({ workerId }) => workerId.length < 1 || workerId.length > 128 },
  { field: "tasks", description: "must have at most 10000 entries", broken: (hello) => hello.tasks.length > 10_000 },
  { field: "slots", description: "must be 1 to 100000", broken: (hello) => outside(hello.slots, 1, 100_000) },
  { field: "held", description: "must have tokens of at least 8 bytes", broken: (hello) => hello.held.some(({ token }) => token.length < 8) },
  {
    field: "tasks",
    // They are one record of the log, which holds 1 MiB.
    description: "must have payload_schemas of at most 512 KiB together",
    broken: ({ tasks }) => tasks.reduce((bytes, { payloadSchema }) => bytes + Buffer.byteLength(payloadSchema), 0) > 512 * 1024,
  },
  { field: "build_id", description: "must be at most 128 characters", broken: (hello) => hello.buildId.length > 128 },
];

const taskRules: readonly Rule<TaskDeclaration>[] = [
  { field: "id", description: nameRule, broken: (task) => !name.test(task.id) },
  { field: "description", description: "must be at most 1000 characters", broken: (task) => task.description.length > 1_000 },
  { field: "queue", description: `${nameRule}, or empty`, broken: (task) => task.queue !== "" && !name.test(task.queue) },
  { field: "concurrency_limit", description: "must be 0 to 100000", broken: (task) => outside(task.concurrencyLimit, 0, 100_000) },
  { field: "max_attempts", description: "must be 1 to 250", broken: (task) => outside(task.maxAttempts, 1, 250) },
  { field: "max_duration_seconds", description: "must be 0, or 5 or more", broken: (task) => isDurationTooShort(task.maxDurationSeconds) },
  { field: "payload_schema", description: "must be at most 64 KiB", broken: (task) => Buffer.byteLength(task.payloadSchema) > 64 * 1024 },
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
  const ids = new Set<string>();
  for (const [i, task] of hello.tasks.entries()) {
    for (const { field, description, broken } of taskRules) if (broken(task)) yield { field: `hello.tasks[${i}].${field}`, description };
    if (ids.has(task.id)) yield { field: `hello.tasks[${i}].id`, description: "must not be declared twice" };
    ids.add(task.id);
  }
}

function isAlone({ accepted, declined, commands, results, cancelConfirmed, heartbeat, heldList, drain }: WorkRequest): boolean {
  if (heartbeat !== undefined || heldList !== undefined || drain !== undefined) return false;
  return [accepted, declined, commands, results, cancelConfirmed].every((items) => items.length === 0);
}
