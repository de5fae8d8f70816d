/** A worker cannot be built or started from what the user wrote. The message is for people, and says what to change. */
export class WorkerBuildError extends Error {
  override readonly name = "WorkerBuildError";
}
