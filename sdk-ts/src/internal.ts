/**
 * For the command line, the worker and other parts of Runlane: not for applications, and without a promise that it stays as it is.
 */
export { type ApiClientConfiguration, presentConfiguration, resolveTarget, resolveWorkerTarget } from "./client/configuration.js";
export { type ConnectionSource, createConnectionSource, type ServerTarget } from "./client/connection-source.js";
export { type DataFolder, findDataFolder, readDataFolder } from "./client/data-folder.js";
export { type FrameListener, type FrameStream, openFrameStream } from "./client/frame-stream.js";
export { createGrpcConnection, type GrpcConnection } from "./client/grpc-connection.js";
export { errorInfoOf, errorOfStatus, retryDelayOf } from "./client/grpc-error.js";
export { createGrpcTransport } from "./client/grpc-transport.js";
export { createRunlaneClient, defaultClient, type RunlaneClient } from "./client/runlane-client.js";
export { parseServerAddress, type ServerAddress, ServerAddressError } from "./client/server-address.js";
export { StoredPayloads } from "./client/stored-payloads.js";
export type { TriggerWaiter } from "./client/trigger-frame.js";
export { TriggerStream, type TriggerStreamOptions } from "./client/trigger-stream.js";
export { keysWithoutEffect } from "./config/define-config.js";
export { apiErrorOf } from "./errors/api-error.js";
export { errorOfFailure, serializedError } from "./errors/failure-error.js";
export { configHookKinds } from "./hooks/config-hooks.js";
export { hashedKey } from "./idempotency/idempotency-key.js";
export { isLarge, maxPayloadBytes, maxStoredPayloadBytes, payloadOf, valueOfPayload } from "./payload.js";
export { retrievedRun } from "./runs/run-object.js";
export { withStoredValues } from "./runs/stored-values.js";
export { currentRunRuntime } from "./runtime/run-runtime.js";
export { type RegisteredTask, taskRegistry } from "./runtime/task-registry.js";
export { delayOption, periodMs, periodText, secondsOption } from "./time/period.js";
