import type { AnyRunHandle, AnyTask, RetrievedRun, RetrieveRunResult } from "@runlane/sdk";
import { runs, tasks as sdkTasks } from "@runlane/sdk";
import {
  clientOver,
  hooksOfConfig,
  InProcessWorker,
  maxDurationSeconds,
  periodMs,
  presetOf,
  type RegisteredTask,
  routeTo,
  secondsOption,
  taskRegistry,
} from "@runlane/sdk/testing-seams";
import { Activity } from "./activity.js";
import { startEngineRoom } from "./engine-room.js";
import { memoryConnections, notedTransport } from "./memory-connection.js";
import { RunJournal } from "./run-journal.js";
import { seededRandom } from "./seeded-random.js";
import { silentLogger } from "./silent-logger.js";
import type { Period, RunStage, TestPlatform, TestPlatformOptions } from "./test-platform.js";
import { Timeline } from "./timeline.js";
import { VirtualClock } from "./virtual-clock.js";

const defaultPatienceMs = 500;

const key = Symbol.for("runlane.test-platform.v1");
const active = globalThis as { [key]?: boolean };

/**
 * Starts a platform, and makes everything that the SDK does in this process go to it until it is closed.
 *
 * ```ts
 * await using platform = await createTestPlatform();
 * const run = await platform.run(hello, { name: "Ada" });
 * expect(run).toMatchObject({ status: "COMPLETED", output: "Hello, Ada", attemptCount: 1 });
 * ```
 *
 * @throws Error if another one was not closed, or `tasks` has what is no task
 */
export async function createTestPlatform(options: TestPlatformOptions = {}): Promise<TestPlatform> {
  if (active[key]) throw new Error("there is a test platform in this process already: close it first (await platform.close())");
  active[key] = true;
  try {
    return await start(options);
  } catch (error) {
    active[key] = false;
    throw error;
  }
}

async function start({ tasks, config = {}, handleError, now, seed = 1, patienceInMs = defaultPatienceMs }: TestPlatformOptions): Promise<TestPlatform> {
  const library = libraryOf(tasks);
  const activity = new Activity();
  const note = () => activity.note();
  const clock = new VirtualClock(now === undefined ? Date.now() : new Date(now).getTime(), seededRandom(seed), note);
  const journal = new RunJournal(note, async (runId) => {
    const { run } = await client.runs.getRun({ runId });
    if (run === undefined) throw new Error(`the test platform has no run ${runId}`);
    return run;
  });
  const room = await startEngineRoom(clock, journal, silentLogger);
  const connections = memoryConnections(room.server, activity);
  const worker = new InProcessWorker({
    source: connections,
    tasks: library,
    defaults: {
      defaultRetry: config.retries?.default,
      machine: config.machine && presetOf("config: machine", config.machine),
      maxDuration: config.maxDuration && maxDurationSeconds("config", config.maxDuration),
      ttl: config.ttl === undefined ? undefined : secondsOption("config: ttl", config.ttl),
    },
    project: config.project,
    now: () => clock.now(),
    random: seededRandom(seed + 1),
    onFrame: note,
    onHook: (ctx, kind) => journal.hook(ctx, kind),
    onLog: (ctx, level, message, properties) => journal.log(ctx, { level, message, properties }),
  });
  worker.start();
  await worker.welcomed;
  const client = clientOver(notedTransport(room.server.transport, activity), connections, undefined);
  const before = routeTo(client);
  const withdrawHooks = hooksOfConfig({ default: config, handleError });
  const timeline = new Timeline({ clock, activity, busy: () => worker.busy, patienceMs: patienceInMs });
  const retrieve = <T extends AnyRunHandle | AnyTask | string>(id: string) => runs.retrieve(id as string) as Promise<RetrieveRunResult<T>>;

  /** Waits until a run is where it is to be, and reads it. */
  async function reach<T extends AnyRunHandle | AnyTask | string>(id: string, stage: RunStage): Promise<RetrieveRunResult<T>> {
    const there = stage === "started" ? () => journal.attempts(id).length > 0 : () => journal.isFinal(id);
    if (!(await timeline.until(there))) throw new Error(stuck(await retrieve(id), library));
    return await retrieve<T>(id);
  }

  let closing: Promise<void> | undefined;
  const close = async () => {
    timeline.close();
    await worker.close();
    client.close();
    await room.close();
    routeTo(before);
    withdrawHooks();
    active[key] = false;
  };

  const platform: TestPlatform = {
    get now() {
      return new Date(clock.now());
    },
    get calls() {
      return [...journal.calls];
    },
    async run(task, ...[payload, triggerOptions]) {
      const { id } = await sdkTasks.trigger<AnyTask>(task.id, payload, triggerOptions);
      return await reach(id, "finished");
    },
    waitFor: (run, stage = "finished") => reach(idOf(run), stage),
    async advance(period) {
      await timeline.advance(millisecondsOf(period));
    },
    async runUntilIdle() {
      await timeline.until(() => false);
    },
    runs: () => Promise.all(journal.runIds.map((id) => retrieve<string>(id))),
    attempts: (run) => journal.attempts(idOf(run)),
    mock(task, run) {
      const own = library.get(task.id);
      if (!own) throw new Error(notOfThePlatform(task.id));
      library.set(task.id, { ...own, run: run as RegisteredTask["run"] });
      return () => void library.set(task.id, own);
    },
    close() {
      closing ??= close();
      return closing;
    },
    [Symbol.asyncDispose]: () => platform.close(),
  };
  return platform;
}

/** What the worker executes. Of two tasks with one id the later counts: a test may have loaded a module again. */
function libraryOf(tasks: readonly AnyTask[] | undefined): Map<string, RegisteredTask> {
  const registered = new Map(taskRegistry().tasks.map((task) => [task.id, task]));
  if (tasks === undefined) return registered;
  return new Map(
    tasks.map((task) => {
      const found = registered.get(task.id);
      if (!found) throw new Error(`createTestPlatform: ${JSON.stringify(task.id)} is no task that task() has made`);
      return [task.id, found];
    }),
  );
}

function stuck(run: RetrievedRun<unknown, unknown>, library: ReadonlyMap<string, unknown>): string {
  const why = library.has(run.taskIdentifier)
    ? `it is ${run.status}${run.pendingReason ? ` (${run.pendingReason})` : ""}`
    : notOfThePlatform(run.taskIdentifier);
  return `run ${run.id} of ${run.taskIdentifier} goes no further, and nothing is due that could change that: ${why}`;
}

function notOfThePlatform(taskId: string): string {
  return `the platform has no task ${JSON.stringify(taskId)}: import its module before createTestPlatform(), or add it to "tasks"`;
}

function idOf(run: AnyRunHandle | string): string {
  return typeof run === "string" ? run : run.id;
}

function millisecondsOf(period: Period): number {
  const ms = typeof period === "number" ? period : periodMs(period);
  if (!(ms >= 0)) throw new RangeError(`time cannot advance by ${period}`);
  return ms;
}
