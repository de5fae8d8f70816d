import { equals } from "@bufbuild/protobuf";
import { refusal } from "@runlane/platform";
import { type Run, RunSchema, RunState } from "@runlane/platform/gen/runlane/v1/run_pb.js";
import type { ChangeListener } from "./subscriptions.js";

const finalStates: ReadonlySet<RunState> = new Set([
  RunState.COMPLETED,
  RunState.CANCELED,
  RunState.FAILED,
  RunState.CRASHED,
  RunState.SYSTEM_FAILURE,
  RunState.EXPIRED,
  RunState.TIMED_OUT,
]);

/** One caller's view of a run as it changes. A reader that is slower than the run sees its latest state only. */
export class RunChanges implements ChangeListener {
  readonly environment: string;
  #latest: Run | undefined;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(environment: string) {
    this.environment = environment;
  }

  changed(run: Run): void {
    this.#latest = run;
    this.#wake?.();
  }

  unknown(runId: string): void {
    this.#failure = refusal("RUN_NOT_FOUND", `there is no run ${runId}`, { metadata: { run_id: runId }, resource: { type: "run", name: runId } });
    this.#wake?.();
  }

  /** Yields the run whenever it differs from what was yielded last, until it is final. @throws what `signal` was aborted with. */
  async *untilFinal(signal: AbortSignal): AsyncGenerator<Run, void, undefined> {
    let shown: Run | undefined;
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake);
    try {
      while (shown === undefined || !finalStates.has(shown.state)) {
        signal.throwIfAborted();
        if (this.#failure) throw this.#failure;
        const run = this.#latest;
        this.#latest = undefined;
        if (run === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (shown === undefined || !equals(RunSchema, run, shown)) {
          yield run;
          shown = run;
        }
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }
}
