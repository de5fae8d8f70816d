import type { Durable } from "../engine/durable.js";
import type { Environment } from "../engine/environment.js";

/** Everything that the log says, as plain data, for comparing two states. */
export function pictureOf(durable: Durable): unknown {
  return {
    now: durable.now,
    nextRun: durable.nextRun,
    nextSession: durable.nextSession,
    environments: [...durable.environments.values()].map((environment) => ({
      name: environment.name,
      tag: environment.tag,
      tasks: [...environment.tasks.entries()].map(([id, task]) => [id, task.version, task.declaration, task.limits?.map((limit) => limit.name)]),
      versions: [...environment.versions.byNumber.values()],
      currentVersion: environment.versions.current?.version,
      bound: [...environment.versions.bound].map(([version, runs]) => [version, [...runs].map(([run, readyMs]) => [run.number, readyMs])]),
      payloads: [...environment.payloads.values()],
      keys: [...environment.keys.values()],
      nextToken: environment.tokens.next,
      tokens: [...environment.tokens.byNumber.values()].map(({ waits: _, ...token }) => token),
      debounces: [...environment.debounces].map(([key, run]) => [key, run.number]).sort(),
      queues: [...environment.queues.values()].map(({ environment: _, lines, keyless, lanes, shut, rateDueMs, rateListedMs, served, ...queue }) => ({
        ...queue,
        lanes: [keyless, ...lanes.values()].map(({ key, held, members, bucket }) => ({ key, held, members, bucket })).sort(byKey),
      })),
      flow: flowOf(environment),
    })),
    runs: [...durable.runs.values()]
      .sort((a, b) => a.number - b.number)
      .map((run) => ({
        ...run,
        environment: run.environment.name,
        queue: run.queue.name,
        lane: run.lane.key,
        slots: run.slots?.map(({ limit, key }) => [limit.name, key]),
        list: undefined,
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

function flowOf({ flow }: Environment): unknown {
  const { paused, limit, burst, held, limits, keeping } = flow;
  return {
    paused,
    limit,
    burst,
    held,
    keeping: [...keeping].map((run) => run.number).sort((a, b) => a - b),
    limits: [...limits.values()].map(({ waiting: _, keyOverrides, slots, ...each }) => ({
      ...each,
      keyOverrides: [...keyOverrides],
      slots: [...slots.values()].map(({ key, held: taken, queued, members }) => ({ key, held: taken, queued, members })).sort(byKey),
    })),
  };
}

/** Nothing depends on which key came first, and who begins from a snapshot does not know it. */
function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
