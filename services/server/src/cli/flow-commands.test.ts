import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UpdateEnvironmentRequest, UpdateQueueRequest } from "@runlane/sdk/gen/runlane/v1/queue_service_pb.js";
import { PendingReason, RunState, type TriggerItem } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { ExplainRunResponseSchema } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { describe, expect, test } from "vitest";
import { runlane } from "../testing/command-double.js";

const explained = create(ExplainRunResponseSchema, {
  run: { id: "run_7", state: RunState.QUEUED, queue: "mails" },
  reason: PendingReason.QUEUE_LIMIT,
  message: "The queue mails has a limit of 2, and 2 of its runs execute.",
  remedy: "It starts when one of them ends, or: runlane queues limit mails 3",
  position: 4n,
  subject: "mails",
  limit: 2,
  held: 2,
});

describe("runlane runs why", () => {
  const service = { explainRun: () => explained };

  test("says in plain words what a run waits for, where it stands, and what would release it", async () => {
    const { code, stdout, leftOpen } = await runlane(["runs", "why", "run_7"], service);
    expect(stdout.split("\n")).toEqual([
      "run       run_7",
      "state     QUEUED",
      "queue     mails",
      "why       The queue mails has a limit of 2, and 2 of its runs execute.",
      "slots     2 of 2 taken",
      "position  4",
      "remedy    It starts when one of them ends, or: runlane queues limit mails 3",
    ]);
    expect([code, leftOpen]).toEqual([0, false]);
  });

  test("says it to programs, too", async () => {
    const { stdout } = await runlane(["runs", "why", "run_7", "--json"], service);
    expect(JSON.parse(stdout)).toMatchObject({ id: "run_7", state: "QUEUED", reason: "QUEUE_LIMIT", position: 4, subject: "mails", limit: 2, held: 2 });
  });
});

describe("runlane runs", () => {
  test("replay prints the id of the new run, and names its request so that it may be repeated", async () => {
    const asked: { requestId: string; runId: string }[] = [];
    const service = {
      replayRun(request: { requestId: string; runId: string }) {
        asked.push(request);
        return { runId: "run_8" };
      },
    };
    expect((await runlane(["runs", "replay", "run_7"], service)).stdout).toBe("run_8");
    expect(asked).toMatchObject([{ requestId: expect.stringMatching(/^[0-9a-f-]{36}$/), runId: "run_7" }]);
  });

  test("reschedule takes a time from now, or a time", async () => {
    const delays: unknown[] = [];
    const service = {
      rescheduleRun({ delay }: { delay: object }) {
        delays.push(delay);
        return { run: { id: "run_7", queueTime: { seconds: 60n } } };
      },
    };
    expect((await runlane(["runs", "reschedule", "run_7", "1h30m"], service)).stdout).toBe("Run run_7 enters its queue 1970-01-01T00:01:00.000Z.");
    await runlane(["runs", "reschedule", "run_7", "2031-01-01T00:00:00Z"], service);
    expect(delays).toMatchObject([
      { case: "delayFor", value: { seconds: 5_400n } },
      { case: "delayUntil", value: { seconds: 1_924_992_000n } },
    ]);
    const { code, stderr } = await runlane(["runs", "reschedule", "run_7", "soon"], service);
    expect([code, stderr]).toEqual([2, expect.stringContaining("the delay is soon")]);
  });
});

describe("runlane trigger", () => {
  const triggered: TriggerItem[] = [];
  const service = {
    triggerTasks({ items }: { items: TriggerItem[] }) {
      triggered.push(...items);
      return { outcomes: [{ outcome: { case: "runId" as const, value: "run_1" } }] };
    },
  };

  test("passes on when, how and under which key", async () => {
    const words = "--delay 1h --ttl 10m --idempotency-key once --concurrency-key eu --priority 2.5 --tag a --tag b --test".split(" ");
    expect((await runlane(["trigger", "mail", ...words], service)).code).toBe(0);
    expect(triggered.at(-1)!.options).toMatchObject({
      delay: { case: "delayFor", value: { seconds: 3_600n } },
      ttlSeconds: 600,
      idempotencyKey: { key: expect.stringMatching(/^[0-9a-f]{64}$/), displayKey: "once" },
      concurrencyKey: "eu",
      prioritySeconds: 2.5,
      tags: ["a", "b"],
      test: true,
    });
  });

  test.each([
    ["--delay", "soon"],
    ["--ttl", "soon"],
  ])("%s %s is a wrong command line", async (option, value) => {
    expect((await runlane(["trigger", "mail", option, value], service)).code).toBe(2);
  });
});

describe("runlane queues", () => {
  const updates: UpdateQueueRequest[] = [];
  const all = [
    { id: "queue_1", name: "mails", running: 2n, queued: 7n, concurrencyLimit: { current: 3, base: 2, override: 3 }, totalLimit: 9, keyCount: 4n },
    { id: "queue_2", name: "task/a", paused: true },
  ];
  const service = {
    listQueues: ({ pageToken }: { pageToken: string }) => (pageToken === "" ? { queues: all.slice(0, 1), nextPageToken: "2" } : { queues: all.slice(1) }),
    updateQueue(request: UpdateQueueRequest) {
      if (request.queue === "none") throw new ConnectError("there is no queue none", Code.NotFound);
      updates.push(request);
      return { queue: { name: request.queue } };
    },
  };
  const queues = (...words: string[]) => runlane(["queues", ...words], {}, "", {}, {}, service);

  test("lists all of them", async () => {
    expect((await queues()).stdout.split("\n")).toEqual([
      "QUEUE   RUNNING  QUEUED  LIMIT  TOTAL  KEYS",
      "mails   2        7       3 (2)  9      4",
      "task/a  0        0       -      -      0     paused",
    ]);
    expect(JSON.parse((await queues("list", "--json")).stdout)).toMatchObject([{ name: "mails", overriddenLimit: 3, declaredLimit: 2 }, { name: "task/a" }]);
  });

  test("pauses, resumes, limits and resets one", async () => {
    expect((await queues("pause", "mails")).stdout).toContain("is paused");
    expect((await queues("resume", "mails")).stdout).toContain("goes on");
    await queues("limit", "mails", "0");
    await queues("reset", "mails");
    expect(updates).toMatchObject([
      { queue: "mails", paused: true },
      { queue: "mails", paused: false },
      { queue: "mails", concurrencyLimit: { change: { case: "override", value: 0 } } },
      { queue: "mails", concurrencyLimit: { change: { case: "reset" } } },
    ]);
  });

  test("exits with 1 for one that there is not, and with 2 for a limit that is none", async () => {
    expect((await queues("pause", "none")).code).toBe(1);
    expect((await queues("limit", "mails", "-1")).code).toBe(2);
    expect((await queues("limit", "mails", "100001")).code).toBe(2);
  });
});

describe("runlane environment", () => {
  const updates: UpdateEnvironmentRequest[] = [];
  const environment = { name: "dev", concurrencyLimit: 10, burstFactor: 2, running: 3n, queued: 4n };
  const service = {
    getEnvironment: () => ({ environment }),
    updateEnvironment(request: UpdateEnvironmentRequest) {
      updates.push(request);
      return { environment: { ...environment, paused: request.paused ?? false } };
    },
  };
  const command = (...words: string[]) => runlane(["environment", ...words], {}, "", {}, {}, service);

  test("shows it", async () => {
    expect((await command()).stdout.split("\n")).toEqual([
      "environment  dev",
      "paused       no",
      "limit        10 runs of a queue, 20 of all together",
      "running      3",
      "queued       4",
    ]);
  });

  test("pauses, resumes and limits it", async () => {
    expect((await command("pause")).stdout).toContain("paused       yes");
    await command("resume");
    await command("limit", "20", "--burst", "1.5");
    await command("limit", "none");
    expect(updates).toMatchObject([
      { paused: true },
      { paused: false },
      { concurrencyLimit: { change: { case: "override", value: 20 } }, burstFactor: 1.5 },
      { concurrencyLimit: { change: { case: "reset" } } },
    ]);
    expect((await command("limit", "some")).code).toBe(2);
    expect((await command("limit", "1", "--burst", "0.5")).code).toBe(2);
  });
});
