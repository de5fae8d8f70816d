export { type BuildOptions, buildWorker, type WorkerBuild, WorkerBuilder } from "./build-worker.js";
export { developmentEnvFiles, developmentVariables, readEnvFile } from "./env-files.js";
export { resolveSdk } from "./index-tasks.js";
export { loadConfig } from "./load-config.js";
export { findProject, type Project } from "./project.js";
export { type RunWorkerOptions, runWorker } from "./run-worker.js";
export { SessionBuilds } from "./session-builds.js";
export { findTaskFiles, isSourceFile, sourcelessFolders } from "./task-files.js";
export { WorkerBuildError } from "./worker-build-error.js";
