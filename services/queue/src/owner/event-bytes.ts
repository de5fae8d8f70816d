import type { Event, IdempotencySetting, RunSettings } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import type { Payload } from "@runlane/platform/gen/runlane/v1/payload_pb.js";

/** About how many bytes an event takes in the log: near enough for sealing a batch, and far cheaper than encoding it twice. */
export function eventBytes({ event }: Event): number {
  switch (event.case) {
    case "runsCreated": {
      let bytes = 80;
      for (const run of event.value.runs)
        bytes += 24 + run.taskId.length + run.queue.length + payloadBytes(run.payload) + settingsBytes(run.settings) + (run.failure?.message.length ?? 0);
      return bytes + 12 * event.value.found.length;
    }
    case "attemptSucceeded":
      return 20 + payloadBytes(event.value.output);
    case "attemptFailed": {
      const failure = event.value.failure;
      return 40 + (failure ? failure.message.length + failure.stackTrace.length + payloadBytes(failure.raw) : 0);
    }
    case "tasksDeclared": {
      let bytes = 40;
      for (const task of event.value.tasks) {
        bytes += 40 + task.id.length + task.description.length + task.filePath.length + task.queue.length + task.payloadSchema.length;
        if (task.concurrency) bytes += 12 + textBytes(task.concurrency.limits);
      }
      return bytes;
    }
    case "queuesDeclared": {
      let bytes = 60 + event.value.environment.length;
      for (const { name, rateLimit, keyRateLimit } of event.value.queues) bytes += 16 + name.length + (rateLimit ? 24 : 0) + (keyRateLimit ? 24 : 0);
      for (const { name } of event.value.limits) bytes += 16 + name.length;
      return bytes;
    }
    case "queueUpdated":
      return 24 + event.value.environment.length + event.value.queue.length;
    case "limitUpdated":
      return 40 + event.value.environment.length + event.value.limit.length + 3 * (event.value.concurrencyKey?.length ?? 0);
    case "runUpdated":
      return 40 + payloadBytes(event.value.metadata) + textBytes(event.value.tags?.tags ?? []);
    case "runRescheduled": {
      const { replacement } = event.value;
      return 40 + (replacement ? 24 + payloadBytes(replacement.payload) + settingsBytes(replacement.settings) : 0);
    }
    case "batchCreated":
      return 60 + event.value.environment.length + keyBytes(event.value.idempotency);
    case "idempotencyKeyEnded":
      return 24 + event.value.environment.length + event.value.taskId.length + 3 * event.value.key.length;
    case "entryRecorded": {
      const { key, output, failure } = event.value;
      const failed = failure ? failure.message.length + failure.stackTrace.length + payloadBytes(failure.raw) : 0;
      return 60 + 3 * (key?.name.length ?? 0) + payloadBytes(output) + failed;
    }
    case "commandJournalled":
      return 60 + 3 * (event.value.key?.name.length ?? 0);
    case "tokenCreated":
      return (
        80 +
        event.value.environment.length +
        event.value.secret.length +
        3 * event.value.key.length +
        event.value.requestId.length +
        textBytes(event.value.tags)
      );
    case "tokenCompleted":
      return 30 + event.value.environment.length + payloadBytes(event.value.output);
    case "waitBegan":
      return 24 + 6 * event.value.children.length;
    case "runsAccepted":
      return 8 + 6 * event.value.runs.length;
    case "payloadStored":
    case "payloadDropped":
      return 24 + event.value.environment.length + event.value.reference.length;
    case "runCanceled":
      return 20 + event.value.reason.length;
    default:
      return 40;
  }
}

function settingsBytes(settings: RunSettings | undefined): number {
  if (!settings) return 0;
  const { metadata, tags, idempotency, debounce, concurrencyKey, concurrencyLimits } = settings;
  const named = concurrencyLimits ? 4 + textBytes(concurrencyLimits.names) : 0;
  return 80 + payloadBytes(metadata) + textBytes(tags) + keyBytes(idempotency) + 3 * ((debounce?.key.length ?? 0) + concurrencyKey.length) + named;
}

function keyBytes(idempotency: IdempotencySetting | undefined): number {
  return idempotency ? 16 + 3 * (idempotency.key.length + idempotency.displayKey.length) : 0;
}

/** Characters beyond ASCII have up to three bytes. */
function textBytes(texts: readonly string[]): number {
  return texts.reduce((bytes, text) => bytes + 2 + 3 * text.length, 0);
}

/** Bytes of a payload, near enough. */
function payloadBytes(payload: Payload | undefined): number {
  if (!payload) return 0;
  let bytes = 8 + payload.contentType.length + payload.data.length + (payload.reference?.length ?? 0);
  for (const key in payload.metadata) bytes += key.length + (payload.metadata[key]?.length ?? 0) + 8;
  return bytes;
}
