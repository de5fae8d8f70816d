export { type BuildOptions, buildWorker, type WorkerBuild } from "./build-worker.js";
export { type RunWorkerOptions, runWorker } from "./run-worker.js";
export { WorkerBuildError } from "./worker-build-error.js";
