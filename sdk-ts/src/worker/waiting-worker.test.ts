import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type JournalEntry, JournalEntrySchema, JournalKind } from "#gen/runlane/v1/worker_service_pb.js";
import { hex, outputOf } from "../testing/fake-worker-service.js";
import { type TestWorker, welcomedWorker } from "../testing/test-worker.js";

/** Starts a run that waits for a token; its token. */
async function waitingRun({ service }: TestWorker): Promise<Uint8Array> {
  const token = service.assign("waits");
  for (const name of ["record", "wait"]) {
    const { commandId } = await service.until(() => service.commands.find((one) => hex(one.token) === hex(token) && one.command.case === name));
    service.send({ commandOutcomes: [{ token, commandId }] });
  }
  return token;
}

function entry(kind: JournalKind, name: string, more: object): JournalEntry {
  return create(JournalEntrySchema, { key: { kind, name, argumentsHash: new Uint8Array(0), occurrence: 0 }, ...more });
}

const stepEntry = entry(JournalKind.STEP, "first", { commandId: 1, settled: 1, output: { contentType: "application/json", data: Buffer.from("7") } });
const waitEntry = entry(JournalKind.WAIT_TOKEN, "waitpoint_1", { commandId: 2, waitId: 1 });

test("a worker accepts an attempt that goes on when its journal is whole, and tells it what ends", async () => {
  const { service } = await welcomedWorker();
  expect(service.hellos[0]!.capabilities).toContain("journal");
  const token = service.assign("waits", undefined, { journalLength: 2, resumed: true });
  service.send({ journalParts: [{ token, entries: [stepEntry] }] });
  const other = service.assign("echo", 1);
  expect(outputOf(await service.result(other))).toBe(1);
  expect(service.accepted).not.toContain(hex(token));
  // The end of the wait may come before the last part.
  const end = { output: { contentType: "application/json", data: Buffer.from('"yes"') } };
  service.send({ resumes: [{ token, waitId: 1, end }] });
  service.send({ journalParts: [{ token, entries: [waitEntry] }] });
  expect(outputOf(await service.result(token))).toEqual({ first: 7, said: "yes" });
  expect(service.commands.filter((command) => hex(command.token) === hex(token) && command.journalKey)).toEqual([]);
});

test("what of a journal came before a Hello is forgotten: the server sends it anew", async () => {
  const { service } = await welcomedWorker();
  const token = service.assign("waits", undefined, { journalLength: 2, resumed: true });
  service.send({ journalParts: [{ token, entries: [stepEntry] }] });
  service.send({ helloAgain: true });
  expect((await service.hello(2)).held).toEqual([]);
});

test("attempts that wait leave a worker that drains at once, and go on elsewhere", async () => {
  const worker = await welcomedWorker();
  const { service } = worker;
  const token = await waitingRun(worker);
  const drained = worker.supervisor.drain("a new version is here");
  expect((await service.result(token)).outcome).toMatchObject({ case: "release", value: { reason: "a new version is here" } });
  await drained;
});

test("the longest-waiting leaves if there are too many", async () => {
  const worker = await welcomedWorker({ mostWarmWaiting: 1 });
  const { service } = worker;
  const first = await waitingRun(worker);
  const second = await waitingRun(worker);
  expect((await service.result(first)).outcome.case).toBe("release");
  service.send({ resumes: [{ token: second, waitId: 1, end: {} }] });
  expect(outputOf(await service.result(second))).toEqual({ first: expect.any(Number) });
});
