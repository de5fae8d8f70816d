import type {
  AnyOnCatchErrorHookFunction,
  AnyRunHandle,
  AnyTask,
  RetrievedRun,
  RetrieveRunResult,
  RunFnParams,
  RunlaneConfig,
  TaskOutput,
  TaskPayload,
  TriggerOptions,
} from "@runlane/sdk";
import type { TaskCall, TestAttempt } from "./run-records.js";

/** How a test platform is set up. */
export interface TestPlatformOptions {
  /** The tasks that it runs. Default: all that the imported modules have declared. */
  readonly tasks?: readonly AnyTask[];
  /** The project's config: what it says for tasks that do not, its hooks, its `project`. Keys of the build and of the worker's processes count for nothing here. */
  readonly config?: RunlaneConfig;
  /** The `handleError` that the config's file exports. */
  readonly handleError?: AnyOnCatchErrorHookFunction;
  /** When virtual time begins. Default: now. */
  readonly now?: Date | string | number;
  /** Begins the random numbers that spread retries and make run ids: with the same seed they are the same. Default 1. */
  readonly seed?: number;
  /** How long `advance` waits for code that is held up by real I/O or real timers before it lets virtual time go on, in real milliseconds. Default 500. */
  readonly patienceInMs?: number;
}

/** What `run` takes after the task: a payload, unless the task takes none, and options. */
export type RunArguments<TTask extends AnyTask> =
  undefined extends TaskPayload<TTask>
    ? [payload?: TaskPayload<TTask>, options?: TriggerOptions]
    : TaskPayload<TTask> extends void
      ? [payload?: undefined, options?: TriggerOptions]
      : [payload: TaskPayload<TTask>, options?: TriggerOptions];

/** How far a run has come. */
export type RunStage = "started" | "finished";

/** A period of time: milliseconds, or text of numbers with s, m, h, d or w, for instance "1h30m". */
export type Period = number | string;

/**
 * A whole Runlane in this process: the engine, the services and the worker that a server has, on a log in memory and a clock that stands still.
 *
 * While it is there, everything that the SDK does in this process goes to it. There can be one at a time.
 */
export interface TestPlatform extends AsyncDisposable {
  /** Virtual time. Moves only by `run`, `runUntilIdle` and `advance`. */
  readonly now: Date;

  /**
   * Triggers a task and waits until its run is final. Retry delays pass at once: whenever no code runs, time jumps to what is due next.
   *
   * @throws Error if the run cannot end because nothing will ever happen to it, with the reason; ApiError if the trigger is refused. A run that failed is no error.
   */
  run<TTask extends AnyTask>(task: TTask, ...args: RunArguments<TTask>): Promise<RetrieveRunResult<TTask>>;

  /**
   * Waits, in the same way, until a run that exists is final; or, with "started", until its code has begun for the first time and has come as far as it does without time, I/O or other runs.
   *
   * @throws Error if that cannot come about.
   */
  waitFor<THandle extends AnyRunHandle | string>(run: THandle, stage?: RunStage): Promise<RetrieveRunResult<THandle>>;

  /** Lets time pass. What falls due on the way happens in its order, each at its time; resolves when all that follows from it has happened. */
  advance(period: Period): Promise<void>;

  /** Lets everything happen that will, whatever time it takes: resolves when no code runs and nothing is due any more. Runs that wait for something else stay as they are. */
  runUntilIdle(): Promise<void>;

  /** All runs, in the order in which they were triggered. */
  runs(): Promise<RetrievedRun<unknown, unknown>[]>;

  /** The attempts of a run, first to last. @throws Error if there is no such run. */
  attempts(run: AnyRunHandle | string): readonly TestAttempt[];

  /** The runs that tasks have triggered, in their order. */
  readonly calls: readonly TaskCall[];

  /**
   * Replaces the `run` of a task, for attempts that start from now on. Retries, queue and everything else stay the task's.
   *
   * @returns how to put the task's own code back
   * @throws Error if the platform does not have the task
   */
  mock<TTask extends AnyTask>(
    task: TTask,
    run: (payload: TaskPayload<TTask>, params: RunFnParams) => Promise<TaskOutput<TTask>> | TaskOutput<TTask>,
  ): () => void;

  /** Ends it: code that runs is told by its signal, and the SDK goes to where it went before. Idempotent. */
  close(): Promise<void>;
}
