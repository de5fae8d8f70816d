import { SubtaskUnwrapError } from "../errors/task-errors.js";
import type { TaskRunResult } from "./task-types.js";

type Executor<T> = (resolve: (value: T | PromiseLike<T>) => void, reject: (reason?: unknown) => void) => void;

/** The result of a run that is waited for. */
export class TaskRunPromise<TIdentifier extends string, TOutput> extends Promise<TaskRunResult<TIdentifier, TOutput>> {
  readonly #taskId: TIdentifier;

  constructor(executor: Executor<TaskRunResult<TIdentifier, TOutput>>, taskId: TIdentifier) {
    super(executor);
    this.#taskId = taskId;
  }

  /** What `then` and the others return is a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /**
   * The run's output.
   *
   * @throws SubtaskUnwrapError if the run did not complete; its `cause` is the run's error.
   */
  async unwrap(): Promise<TOutput> {
    const result = await this;
    if (result.ok) return result.output;
    throw new SubtaskUnwrapError(this.#taskId, result.id, result.error);
  }
}
