import type { Event } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { laneOf, type Model } from "./model.js";
import type { RunModel } from "./run-model.js";
import { promise } from "./violation.js";

/** Starts that others may have, each of them, while one waits its turn. With rings of several shared limits, one turn may be lost at each. */
const patience = 3;

/**
 * Turns among queues, and among the keys of a queue: while a shared limit or the workers bind, none is served again and again while another waits that could be served as well.
 *
 * What is counted: starts of others since one was served last, from the time on that nothing but a shared limit or workers kept it.
 */
export class Turns {
  readonly #model: Model;
  readonly #queues = new Map<string, Waiting>();
  readonly #keys = new Map<string, Waiting>();
  /** Starts that no worker has accepted so far. */
  readonly #started = new Map<RunModel, { readonly at: number; readonly tasks: ReadonlySet<string> }>();
  /** Counts the starts. */
  #starts = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  /** Others came or went: who is first is decided anew. */
  forget(): void {
    this.#queues.clear();
    this.#keys.clear();
    this.#started.clear();
  }

  /** Notes a start, and counts it once its worker has accepted it: what comes back at once took nobody's turn. */
  before({ event }: Event): void {
    if (event.case === "runAssigned") {
      const run = this.#model.run(event.value.run);
      const tasks = this.#model.sessions.get(Number(event.value.session))?.connection?.tasks;
      this.#starts += 1;
      // A run that is bound to a version is served when its worker is there, which may be out of turn.
      if (run.place === "queued" && run.version === "" && tasks) this.#started.set(run, { at: this.#starts, tasks });
      this.#queues.delete(run.queue);
      this.#keys.delete(laneOf(run));
    } else if (event.case === "runsAccepted") {
      for (const number of event.value.runs) this.#count(this.#model.run(number));
    } else if (event.case === "runReturned") {
      this.#started.delete(this.#model.run(event.value.run));
    }
  }

  #count(run: RunModel): void {
    const start = this.#started.get(run);
    if (!start) return;
    this.#started.delete(run);
    const lane = laneOf(run);
    const passes = ({ taskId, since }: Waiting) => start.tasks.has(taskId) && since < start.at;
    for (const [queue, waiting] of this.#queues) {
      if (queue === run.queue || !passes(waiting)) continue;
      promise(served(waiting, run.queue) < patience, () => `queue ${run.queue} is served ${patience} times while queue ${queue} waits its turn`);
    }
    for (const [key, waiting] of this.#keys) {
      if (key === lane || !key.startsWith(`${run.queue}\n`) || !passes(waiting)) continue;
      const starved = () => `key "${run.key}" of queue ${run.queue} is served ${patience} times while key "${key.slice(run.queue.length + 1)}" waits its turn`;
      promise(served(waiting, lane) < patience, starved);
    }
  }

  /** Looks who waits for its turn, and for nothing else. */
  after(now: number): void {
    const queues = new Map<string, string>();
    const keys = new Map<string, string>();
    for (const [lane, runs] of this.#model.lanes) {
      for (const run of runs) {
        if (!this.#waitsForTurn(run, now)) continue;
        keys.set(lane, run.taskId);
        const held = this.#model.held(`queue ${run.queue}`);
        if (held < (this.#model.queue(run.queue).total ?? Number.POSITIVE_INFINITY) && held < this.#model.environment.perQueue)
          queues.set(run.queue, run.taskId);
        break;
      }
    }
    keep(this.#queues, queues, this.#starts);
    keep(this.#keys, keys, this.#starts);
  }

  /** Whether nothing but a limit shared with others, or workers, keeps a run. */
  #waitsForTurn(run: RunModel, now: number): boolean {
    const model = this.#model;
    if (run.place !== "queued" || !model.tasks.has(run.taskId) || !model.isKnown(run.queue)) return false;
    if (run.limits.length > 0 || model.machineOf(run) !== "" || run.version !== "" || !model.hasRate(run, now)) return false;
    const queue = model.queue(run.queue);
    if (queue.paused || model.environment.paused || model.held(`queue ${run.queue} key ${run.key}`) >= queue.perKey.current) return false;
    return [...model.streams.values()].some(({ tasks, draining, session }) => !draining && tasks.has(run.taskId) && model.startsRuns(session.version));
  }
}

/** Who waits for its turn. */
interface Waiting {
  /** The task of a run that waits. */
  taskId: string;
  /** The start after which it waited. */
  readonly since: number;
  /** How often others were served since it waits. */
  readonly others: Map<string, number>;
}

function served({ others }: Waiting, name: string): number {
  const times = (others.get(name) ?? 0) + 1;
  others.set(name, times);
  return times;
}

function keep(waiting: Map<string, Waiting>, present: ReadonlyMap<string, string>, since: number): void {
  for (const [name, { taskId }] of waiting) if (present.get(name) !== taskId) waiting.delete(name);
  for (const [name, taskId] of present) if (!waiting.has(name)) waiting.set(name, { taskId, since, others: new Map() });
}
