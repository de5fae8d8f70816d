import { expect, test } from "vitest";
import { Metrics } from "./metrics.js";

test("metrics are told as Prometheus reads them, those of one name together, until they are taken away", () => {
  const metrics = new Metrics();
  expect(metrics.text()).toBe("");
  let held = 2;
  const slots = { name: "runlane_slots_held", help: "Slots.", type: "gauge" } as const;
  metrics.add({ ...slots, labels: { partition: "0" }, read: () => held });
  const remove = metrics.add({ name: "runlane_looks_total", help: 'A look,\nwith \\ and "', type: "counter", read: () => 1 });
  metrics.add({ ...slots, labels: { partition: '1 "\\' }, read: () => 0 });
  held = 3;
  const slotLines = ["# HELP runlane_slots_held Slots.", "# TYPE runlane_slots_held gauge", 'runlane_slots_held{partition="0"} 3'];
  const looks = ['# HELP runlane_looks_total A look,\\nwith \\\\ and "', "# TYPE runlane_looks_total counter", "runlane_looks_total 1"];
  expect(metrics.text().split("\n")).toEqual([...slotLines, 'runlane_slots_held{partition="1 \\"\\\\"} 0', ...looks, ""]);
  remove();
  expect(metrics.text()).not.toContain("looks");
});
