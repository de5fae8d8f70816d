import { fromBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { AssignmentSchema, AttemptResultSchema } from "#gen/runlane/v1/worker_service_pb.js";
import type { PassingAssignment } from "./passing-frames.js";
import type { TokenKey } from "./token-key.js";

/** What happened to an attempt that a worker executes, for people who watch. Plain data: it travels as JSON. */
export interface AttemptReport {
  /**
   * - `started`: the worker has taken it.
   * - `completed`, `failed`: its code has ended. `failure` and `retryInMs` belong to `failed`.
   * - `canceled`: its run was cancelled, and its code has ended.
   * - `released`: the worker has given it back undone.
   * - `lost`: the server has given the run to somebody else.
   */
  readonly event: "started" | "completed" | "failed" | "canceled" | "released" | "lost";
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Since it started, waiting included, in milliseconds. 0 for `started`. */
  readonly durationMs: number;
  readonly failure?: { readonly name: string; readonly message: string; readonly stackTrace: string };
  /** When the code asks for another attempt: after this long, in milliseconds. 0 if the attempt's process died. */
  readonly retryInMs?: number;
}

/** The part of a report that every event of an attempt has. */
type Subject = Pick<AttemptReport, "runId" | "taskId" | "attempt" | "maxAttempts">;

/** Follows the attempts of a supervisor, and reports their starts and ends. Decodes every one of them, so it is for a worker that somebody watches. */
export class AttemptReporter {
  readonly #tell: (report: AttemptReport) => void;
  readonly #subjects = new Map<TokenKey, { readonly subject: Subject; readonly startedAt: number }>();

  constructor(tell: (report: AttemptReport) => void) {
    this.#tell = tell;
  }

  /** The worker has accepted an attempt. */
  started({ key, encoded }: PassingAssignment): void {
    const { runId, taskId, attemptNumber: attempt, maxAttempts } = fromBinary(AssignmentSchema, encoded);
    const subject = { runId, taskId, attempt, maxAttempts };
    this.#subjects.set(key, { subject, startedAt: performance.now() });
    this.#tell({ event: "started", ...subject, durationMs: 0 });
  }

  /** An attempt has a result, an encoded AttemptResult. */
  ended(key: TokenKey, result: Uint8Array): void {
    const { outcome } = fromBinary(AttemptResultSchema, result);
    if (outcome.case === "failure") {
      const { failure, retryDelay, processLost } = outcome.value;
      const { name = "Error", message = "", stackTrace = "" } = failure ?? {};
      const retryInMs = processLost ? 0 : retryDelay && durationMs(retryDelay);
      this.#end(key, "failed", { failure: { name, message, stackTrace }, ...(retryInMs === undefined ? {} : { retryInMs }) });
    } else this.#end(key, outcome.case === "release" ? "released" : "completed");
  }

  /** The code of a cancelled run has ended. */
  canceled(key: TokenKey): void {
    this.#end(key, "canceled");
  }

  /** The server wants to hear no more of an attempt. Most have ended long before, and are not reported again. */
  dropped(key: TokenKey): void {
    this.#end(key, "lost");
  }

  #end(key: TokenKey, event: AttemptReport["event"], more?: Pick<AttemptReport, "failure" | "retryInMs">): void {
    const known = this.#subjects.get(key);
    if (known === undefined) return;
    this.#subjects.delete(key);
    this.#tell({ event, ...known.subject, durationMs: Math.round(performance.now() - known.startedAt), ...more });
  }
}
