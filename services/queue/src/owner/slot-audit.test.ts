import { Metrics } from "@runlane/platform";
import { expect, onTestFinished, test } from "vitest";
import { EngineHarness } from "../testing/engine-harness.js";
import { FakeClock } from "../testing/fake-clock.js";
import { recordingLogger } from "../testing/recording-logger.js";
import { auditEveryMs, SlotAudit } from "./slot-audit.js";

function audited() {
  const harness = new EngineHarness();
  harness.connect({ id: "w", slots: 10, tasks: ["report"] });
  harness.trigger("report", 3);
  const [clock, metrics, { logger, lines }] = [new FakeClock(), new Metrics(), recordingLogger()];
  const audit = new SlotAudit({ partition: 0, durable: harness.durable, clock, logger, metrics });
  onTestFinished(() => audit.stop());
  const value = (name: string) => Number(new RegExp(`^${name}\\{partition="0"\\} (.*)$`, "m").exec(metrics.text())?.[1]);
  return { harness, clock, metrics, lines, audit, value };
}

test("slots are counted again every five seconds, and the metrics say what was found", () => {
  const { harness, clock, value } = audited();
  expect(["runlane_slots_held", "runlane_slots_off", "runlane_slot_audits_total"].map(value)).toEqual([3, 0, 1]);
  harness.trigger("report", 2);
  expect(value("runlane_slots_held")).toBe(3);
  clock.advance(2 * auditEveryMs);
  expect(["runlane_slots_held", "runlane_slots_off", "runlane_slot_audits_total"].map(value)).toEqual([5, 0, 3]);
});

test("a difference is logged once, with its place, and shown until it is gone", () => {
  const { harness, clock, lines, value } = audited();
  const queue = harness.environment.queues.get("task/report")!;
  queue.held += 1;
  clock.advance(3 * auditEveryMs);
  expect(value("runlane_slots_off")).toBe(1);
  expect(lines).toMatchObject([{ msg: "slots are off", off: 1, faults: ["queue task/report counts 4 slots, its runs hold 3"] }]);
  queue.held -= 1;
  clock.advance(auditEveryMs);
  expect([value("runlane_slots_off"), lines.length]).toEqual([0, 2]);
});

test("an owner that leaves tells nothing any more", () => {
  const { metrics, clock, audit } = audited();
  audit.stop();
  clock.advance(10 * auditEveryMs);
  expect(metrics.text()).toBe("");
});
