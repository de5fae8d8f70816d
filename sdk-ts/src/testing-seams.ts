/**
 * What `@runlane/sdk/testing` is made of, besides the services: not for applications, and without a promise that it stays as it is.
 */
export type { ConnectionSource } from "./client/connection-source.js";
export type { FrameListener, FrameStream } from "./client/frame-stream.js";
export { type GrpcConnection, methodPath } from "./client/grpc-connection.js";
export { clientOver, type RunlaneClient, routeTo } from "./client/runlane-client.js";
export { parseServerAddress } from "./client/server-address.js";
export { errorOfFailure, serializedError } from "./errors/failure-error.js";
export { hooksOfConfig } from "./hooks/config-hooks.js";
export { presetOf } from "./machine/machine-option.js";
export { machinePresets } from "./machine/machine-preset.js";
export { payloadOf, valueOfPayload } from "./payload.js";
export { retrievedRun } from "./runs/run-object.js";
export { withStoredValues } from "./runs/stored-values.js";
export { type RegisteredTask, taskRegistry } from "./runtime/task-registry.js";
export { maxDurationSeconds, noMaxDuration } from "./task/max-duration.js";
export { periodMs, secondsOption } from "./time/period.js";
export { InProcessWorker, type InProcessWorkerOptions } from "./worker/in-process-worker.js";
