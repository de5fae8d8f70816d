import type { RunnerSession } from "#gen/runlane/internal/v1/runner_pb.js";
import type { Assignment } from "#gen/runlane/v1/worker_service_pb.js";
import { keyScopes } from "../idempotency/key-scopes.js";
import { machinePresets } from "../machine/machine-preset.js";
import type { TaskRunContext } from "../runtime/task-run-context.js";

type Environment = TaskRunContext["environment"];

const noTags: readonly string[] = Object.freeze([]);

const machines: ReadonlyMap<string, TaskRunContext["machine"]> = new Map(
  machinePresets.map(({ name, milliCpus, memoryMib }) => [name, Object.freeze({ name, cpu: milliCpus / 1_000, memory: memoryMib / 1_024, centsPerMs: 0 })]),
);

const organization: TaskRunContext["organization"] = Object.freeze({ id: "default", slug: "default", name: "default" });

/** What a build tells its attempts of itself. */
export interface BuildFacts {
  /** The file of each task, relative to the project. */
  readonly filePaths: ReadonlyMap<string, string>;
  /** Content hash of the build. Default "". */
  readonly buildId?: string | undefined;
  /** The config's `project`. */
  readonly project?: string | undefined;
}

/** Makes the `ctx` of attempts. The parts that many attempts share are made once. */
export class ContextMaker {
  readonly #build: BuildFacts;
  readonly #project: TaskRunContext["project"];
  readonly #tasks = new Map<string, TaskRunContext["task"]>();
  readonly #queues = new Map<string, TaskRunContext["queue"]>();
  #environment: Environment = environmentOf("dev");
  #version: string | undefined;
  #deployment: TaskRunContext["deployment"];

  constructor(build: BuildFacts) {
    this.#build = build;
    const { project = "default" } = build;
    this.#project = Object.freeze({ id: project, ref: project, slug: project, name: project });
  }

  /** What attempts that start from now on are told of the session. */
  set session(session: RunnerSession) {
    this.#environment = environmentOf(session.environment);
    this.#version = session.version || undefined;
    const { buildId: id = "" } = this.#build;
    this.#deployment = session.version
      ? Object.freeze({ id, shortCode: id.slice(0, 8), version: session.version, runtime: "node", runtimeVersion: process.versions.node })
      : undefined;
  }

  /** The frozen context of an attempt that started at `startTimeMs` of the Unix epoch. */
  make(assignment: Assignment, startTimeMs: number): TaskRunContext {
    const { settings } = assignment;
    return Object.freeze({
      attempt: Object.freeze({ number: assignment.attemptNumber, startedAt: new Date(startTimeMs) }),
      run: Object.freeze({
        id: assignment.runId,
        tags: settings === undefined || settings.tags.length === 0 ? noTags : Object.freeze([...settings.tags]),
        isTest: settings?.test ?? false,
        isReplay: Boolean(settings?.replayOfRunId),
        createdAt: new Date(Number(assignment.createTimeMs)),
        startedAt: new Date(Number(assignment.startTimeMs)),
        maxAttempts: assignment.maxAttempts,
        maxDuration: settings?.maxDurationSeconds || undefined,
        version: this.#version,
        idempotencyKey: settings?.idempotencyKey || undefined,
        idempotencyKeyScope: settings && keyScopes[settings.idempotencyScope],
        priority: settings?.prioritySeconds || undefined,
        concurrencyKey: settings?.concurrencyKey || undefined,
        parentTaskRunId: assignment.parentRunId || undefined,
        rootTaskRunId: assignment.rootRunId || undefined,
      }),
      task: this.#task(assignment.taskId),
      queue: this.#queue(assignment.queue),
      environment: this.#environment,
      organization,
      project: this.#project,
      machine: settings && machines.get(settings.machine),
      batch: settings?.batchId ? Object.freeze({ id: settings.batchId }) : undefined,
      deployment: this.#deployment,
    });
  }

  #task(id: string): TaskRunContext["task"] {
    let task = this.#tasks.get(id);
    if (task === undefined) {
      task = Object.freeze({ id, filePath: this.#build.filePaths.get(id) ?? "" });
      this.#tasks.set(id, task);
    }
    return task;
  }

  #queue(name: string): TaskRunContext["queue"] {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      // Names of queues may be made up by triggers, so what is kept is bounded.
      if (this.#queues.size >= 10_000) this.#queues.clear();
      queue = Object.freeze({ id: name, name });
      this.#queues.set(name, queue);
    }
    return queue;
  }
}

function environmentOf(slug: string): Environment {
  const types: Record<string, Environment["type"]> = { dev: "DEVELOPMENT", staging: "STAGING", preview: "PREVIEW", prod: "PRODUCTION" };
  return Object.freeze({ id: slug, slug, type: types[slug] ?? "PRODUCTION" });
}
