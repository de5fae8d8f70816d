import { expect, test } from "vitest";
import { hex } from "../testing/fake-worker-service.js";
import { welcomedWorker } from "../testing/test-worker.js";
import { type AttemptReport, AttemptReporter } from "./attempt-reporter.js";

/** A worker whose attempts are watched. */
async function watchedWorker() {
  const reports: AttemptReport[] = [];
  const worker = await welcomedWorker({ reporter: new AttemptReporter((report) => reports.push(report)) });
  return { ...worker, service: worker.service, supervisor: worker.supervisor, reports };
}

test("an attempt is reported when it starts and when it completes", async () => {
  const { service, reports } = await watchedWorker();
  await service.result(service.assign("sleeps", { milliseconds: 30 }));
  expect(reports).toMatchObject([
    { event: "started", taskId: "sleeps", attempt: 1, durationMs: 0 },
    { event: "completed", taskId: "sleeps", attempt: 1 },
  ]);
  expect(reports[0]!.runId).not.toBe("");
  expect(reports[1]!.durationMs).toBeGreaterThanOrEqual(25);
});

test("a failure is reported with its error, and when it is tried again", async () => {
  const { service, reports } = await watchedWorker();
  await service.result(service.assign("throws"));
  expect(reports[1]).toMatchObject({ event: "failed", failure: { name: expect.any(String), stackTrace: expect.stringContaining("plain.mjs") } });
  expect(reports[1]!.retryInMs).toBeGreaterThan(0);
  await service.result(service.assign("aborts"));
  expect(reports[3]).toMatchObject({ event: "failed", taskId: "aborts" });
  expect(reports[3]).not.toHaveProperty("retryInMs");
});

test("what the server takes away is reported once, and a receipt is not taken for that", async () => {
  const { service, reports } = await watchedWorker();
  await service.result(service.assign("echo", 1));
  const token = service.assign("patient");
  await service.until(() => service.accepted.includes(hex(token)));
  service.send({ lost: [token] });
  await service.until(() => reports.length === 4);
  expect(reports.map(({ event }) => event)).toEqual(["started", "completed", "started", "lost"]);
});

test("a worker that drains without a limit declines, waits for its attempts, and can be hurried", async () => {
  const { service, supervisor, reports } = await watchedWorker();
  const [short, long] = [service.assign("sleeps", { milliseconds: 200 }), service.assign("patient")];
  await service.until(() => service.accepted.includes(hex(long)));
  const drained = supervisor.drain("a newer version is there");
  const declined = service.assign("echo");
  await service.until(() => service.frames.some(({ frame }) => frame.declined.some(({ token }) => hex(token) === hex(declined))));
  await service.result(short);
  expect(reports.at(-1)).toMatchObject({ event: "completed", taskId: "sleeps" });
  void supervisor.drain("too many versions", 0);
  expect((await service.result(long)).outcome.case).toBe("release");
  await drained;
  expect(reports.at(-1)).toMatchObject({ event: "released", taskId: "patient" });
});
