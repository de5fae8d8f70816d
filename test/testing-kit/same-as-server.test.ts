import { type AnyTask, configure, type RetrievedRun, runs, tasks } from "@runlane/sdk";
import { createTestPlatform } from "@runlane/sdk/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { fanOut, forgiving, leaving, nested } from "../fixtures/tasks/family.js";
import { aborting, echo, failing } from "../fixtures/tasks/plain.js";
import { TestServer } from "../support/test-server.js";
import { TestWorker } from "../support/test-worker.js";

const cases: [name: string, task: AnyTask, payload: unknown][] = [
  [
    "returns values of many kinds",
    echo,
    { text: "ü 💥", nothing: undefined, when: new Date(86_400_000), many: new Set([1n, 2n]), deep: [{ a: [null, -0.5] }] },
  ],
  ["returns nothing", echo, undefined],
  ["returns what is too large for the log", echo, "x".repeat(300_000)],
  ["fails twice and completes", failing, { failures: 2 }],
  ["fails for good", failing, { failures: 9 }],
  ["gives up at once", aborting, undefined],
  ["waits for children that wait for children", nested, { depth: 3 }],
  ["waits for groups of children at once", fanOut, { numbers: [1, 2, 3] }],
  ["sees a child fail", forgiving, undefined],
  ["leaves a child behind", leaving, undefined],
];

/** What must be the same of a run, wherever it ran: all but ids, times and versions; of stack traces, whether there is one. */
function comparable({ id, createdAt, startedAt, finishedAt, durationMs, version, output, error, relatedRuns, ...rest }: RetrievedRun<unknown, unknown>) {
  const isRunId = typeof output === "string" && output.startsWith("run_");
  const times = [createdAt, startedAt, finishedAt].map((time) => time instanceof Date);
  const shownError = error && { ...error, stackTrace: error.stackTrace?.split("\n")[0] };
  return {
    ...rest,
    output: isRunId ? "an id" : output,
    error: shownError,
    times,
    versioned: /^\d{8}\.\d+$/.test(version ?? ""),
    related: Object.keys(relatedRuns),
  };
}

async function onTheKit(): Promise<Map<string, RetrievedRun<unknown, unknown>>> {
  await using platform = await createTestPlatform();
  const ended = new Map<string, RetrievedRun<unknown, unknown>>();
  for (const [name, task, payload] of cases) ended.set(name, await platform.run(task, payload));
  return ended;
}

async function onAServer(): Promise<Map<string, RetrievedRun<unknown, unknown>>> {
  const server = await TestServer.start();
  configure({ baseURL: server.address, secretKey: server.secretKey });
  onTestFinished(() => configure({}));
  new TestWorker(server, "tasks");
  const ended = cases.map(async ([name, task, payload]) => [name, await runs.poll(await tasks.trigger<AnyTask>(task.id, payload))] as const);
  return new Map(await Promise.all(ended));
}

describe("a task", () => {
  test("has on the testing kit the run that it has on a server, whatever it does", async () => {
    const kit = await onTheKit();
    const server = await onAServer();
    expect(kit.size).toBe(cases.length);
    for (const [name] of cases) expect({ name, ...comparable(kit.get(name)!) }).toEqual({ name, ...comparable(server.get(name)!) });
  });
});
