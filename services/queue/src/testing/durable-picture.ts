import type { Durable } from "../engine/durable.js";

/** Everything that the log says, as plain data, for comparing two states. */
export function pictureOf(durable: Durable): unknown {
  return {
    now: durable.now,
    nextRun: durable.nextRun,
    nextSession: durable.nextSession,
    environments: [...durable.environments.values()].map((environment) => ({
      name: environment.name,
      tag: environment.tag,
      tasks: [...environment.tasks.entries()].map(([id, task]) => [id, task.version, task.declaration]),
      versions: [...environment.versions.byNumber.values()],
      currentVersion: environment.versions.current?.version,
      bound: [...environment.versions.bound].map(([version, runs]) => [version, [...runs].map(([run, readyMs]) => [run.number, readyMs])]),
      payloads: [...environment.payloads.values()],
      keys: [...environment.keys.values()],
      debounces: [...environment.debounces].map(([key, run]) => [key, run.number]).sort(),
      queues: [...environment.queues.values()].map(({ name, limit, held }) => ({ name, limit, held })),
    })),
    runs: [...durable.runs.values()]
      .sort((a, b) => a.number - b.number)
      .map((run) => ({
        ...run,
        environment: run.environment.name,
        queue: run.queue.name,
        session: run.session?.number,
        waits: run.waits && [...run.waits.entries()],
        commands: run.commands && [...run.commands.entries()],
      })),
    sessions: [...durable.sessions.values()].map((session) => ({
      ...session,
      environment: session.environment.name,
      runs: [...session.runs].map((run) => run.number).sort((a, b) => a - b),
    })),
    nextBatch: durable.batches.next,
    batches: [...durable.batches.byNumber.values()].map((batch) => ({ ...batch, environment: batch.environment.name })),
    requests: [...durable.requests.entries()],
    finished: durable.finished.size,
    finishedBytes: durable.finishedBytes,
  };
}
