/**
 * Write tasks, trigger them, follow their runs. Names and shapes are those of Trigger.dev v4's SDK.
 */
export { type CacheEntry, type CacheFunction, type CacheMetadata, type CacheStore, createCache, type Eventually, InMemoryCache } from "./cache/cache.js";
export { type ApiClientConfiguration, ApiClientMissingError, configure } from "./client/configuration.js";
export { defineConfig, type RunlaneConfig, type TriggerConfig } from "./config/define-config.js";
export {
  ApiConnectionError,
  ApiError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from "./errors/api-error.js";
export type { SerializedError } from "./errors/failure-error.js";
export {
  AbortTaskRunError,
  type BatchFailure,
  BatchTriggerError,
  CompleteTaskWithOutput,
  OutOfMemoryError,
  SubtaskUnwrapError,
  TaskPayloadParsedError,
} from "./errors/task-errors.js";
export type { HandleErrorModificationOptions, HandleErrorResult, InitOutput, TaskCompleteResult, TaskStartHookParams, TaskWait } from "./hooks/hook-params.js";
export type {
  AnyOnCancelHookFunction,
  AnyOnCatchErrorHookFunction,
  AnyOnCompleteHookFunction,
  AnyOnErrorHookFunction,
  AnyOnFailureHookFunction,
  AnyOnMiddlewareHookFunction,
  AnyOnResumeHookFunction,
  AnyOnStartAttemptHookFunction,
  AnyOnStartHookFunction,
  AnyOnSuccessHookFunction,
  AnyOnWaitHookFunction,
  OnStartHookFunction,
} from "./hooks/task-hooks.js";
export type { IdempotencyKey, IdempotencyKeyScope } from "./idempotency/idempotency-key.js";
export { idempotencyKeys, type ResetIdempotencyKeyOptions } from "./idempotency/idempotency-keys.js";
export { JournalError, type JournalErrorCode } from "./journal/journal-error.js";
export { type LocalsKey, locals } from "./locals/locals.js";
export type { Attributes, AttributeValue, Span, SpanContext, TimeInput } from "./logger/span.js";
export type { TraceOptions } from "./logger/trace.js";
export { type LogLevel, logger } from "./logger.js";
export type { MachinePresetName } from "./machine/machine-preset.js";
export { type Metadata, type MetadataUpdater, metadata, type RelatedMetadata } from "./metadata/metadata.js";
export type { MetadataValue, RunMetadata } from "./metadata/metadata-value.js";
export {
  type ConcurrencyLimit,
  type ConcurrencyLimitOptions,
  type ConcurrencyShape,
  concurrencyLimit,
  type TaskConcurrency,
} from "./queues/concurrency-limit.js";
export {
  type ConcurrencyLimitBound,
  type ConcurrencyLimitItem,
  type ConcurrencyLimitKeyItem,
  type ConcurrencyLimitKeyOptions,
  concurrencyLimits,
  type OverrideConcurrencyLimitBounds,
  type OverrideConcurrencyLimitKey,
} from "./queues/concurrency-limits.js";
export { type QueueOptions, queue, type RateLimitOptions } from "./queues/queue.js";
export { type QueueConcurrency, type QueueItem, queues, type RetrieveQueueParam } from "./queues/queues.js";
export type { ContentFilter, EventFilter, EventMatcher } from "./retry/event-filter.js";
export type {
  FetchRetryBackoffStrategy,
  FetchRetryByStatusOptions,
  FetchRetryHeadersStrategy,
  FetchRetryOptions,
  FetchRetryStrategy,
  RetryFetchRequestInit,
} from "./retry/fetch-options.js";
export type { ResetFormat } from "./retry/reset-time.js";
export { retry } from "./retry/retry.js";
export type { CursorPage, CursorPagePromise, Pagination } from "./runs/cursor-page.js";
export type { OffsetLimitPage, OffsetLimitPagePromise, OffsetPageOptions, OffsetPagination } from "./runs/offset-page.js";
export type { ListedRun, ListRunsOptions, QueueTypeName } from "./runs/run-list.js";
export type { RetrievedRun, RetrieveRunResult, RunPendingReason, RunStatus } from "./runs/run-object.js";
export type { AnyRealtimeRun, RealtimeRun, RunSubscription, SubscribedRun, SubscribeToRunOptions } from "./runs/run-subscription.js";
export { type RescheduleRunOptions, runs } from "./runs/runs.js";
export { heartbeats } from "./runtime/heartbeats.js";
export type { TaskRunContext, TaskRunContext as Context } from "./runtime/task-run-context.js";
export type { JSONSchema } from "./schema/json-schema.js";
export { SchemaError } from "./schema/schema-error.js";
export type { inferSchemaIn, inferSchemaOut, SchemaIssue, StandardSchema, TaskSchema } from "./schema/task-schema.js";
export { type StepOptions, step } from "./step/step.js";
export { tags } from "./tags/tags.js";
export { type BatchItemError, type BatchStatus, batch, type RetrievedBatch } from "./task/batch.js";
export type {
  BatchByIdAndWaitItem,
  BatchByIdHandle,
  BatchByIdItem,
  BatchByIdResult,
  BatchByTaskAndWaitItem,
  BatchByTaskHandle,
  BatchByTaskItem,
  BatchByTaskResult,
  TaskRunResultFromTask,
} from "./task/batch-types.js";
export type { RetryOptions } from "./task/retry-options.js";
export {
  type SchemaTask,
  type SchemaTask as TaskWithSchema,
  type SchemaTaskOptions,
  type SchemaTaskOptions as TaskWithSchemaOptions,
  schemaTask,
  zodTask,
} from "./task/schema-task.js";
export { task } from "./task/task.js";
export { TaskRunPromise } from "./task/task-run-promise.js";
export type {
  AnyRunHandle,
  AnyTask,
  BatchItem,
  BatchItems,
  BatchResult,
  BatchRunHandle,
  BatchTriggerAndWaitOptions,
  BatchTriggerOptions,
  DebounceOptions,
  InferRunTypes,
  RunFnParams,
  RunHandle,
  Task,
  TaskFromIdentifier,
  TaskIdentifier,
  TaskOptions,
  TaskOutput,
  TaskPayload,
  TaskQueueOptions,
  TaskRunResult,
  TriggerAndSubscribeOptions,
  TriggerAndWaitOptions,
  TriggerOptions,
} from "./task/task-types.js";
export { tasks } from "./task/tasks.js";
export { timeout } from "./task/timeout.js";
export { waitUntil } from "./task/wait-until.js";
export { type ComputeUsage, type CurrentUsage, usage } from "./usage/usage.js";
export type { WaitpointListTokenItem, WaitpointRetrievedToken, WaitpointTokenStatus } from "./wait/token-object.js";
export type { CreateWaitpointTokenRequestBody, CreateWaitpointTokenResponse, ListWaitpointTokensQueryParams } from "./wait/tokens.js";
export { type CommonWaitOptions, type WaitForOptions, type WaitPeriod, type WaitUntilOptions, wait } from "./wait/wait.js";
export { ManualWaitpointPromise, WaitpointTimeoutError, type WaitpointTokenTypedResult } from "./wait/waitpoint-promise.js";
