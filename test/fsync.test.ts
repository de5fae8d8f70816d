import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { describe, expect, test } from "vitest";
import { jsonPayload } from "./support/json-payload.js";
import { Stranger } from "./support/stranger.js";
import { type SystemCall, systemCalls, tracingFault } from "./support/system-calls.js";
import { TestServer } from "./support/test-server.js";

const marker = "a-payload-that-must-be-on-disk";

/** Triggers a run and returns the system calls that matter, in their order: the record goes to nats-server, to the disk, and the answer to the client. */
async function traceTrigger(sync: "always" | "lazy") {
  const server = await TestServer.start({ args: ["--sync", sync] });
  const stranger = new Stranger(server.address, server.secretKey);
  const trigger = () => stranger.call(RunService.method.triggerTasks, { items: [{ taskId: "echo", payload: jsonPayload(marker) }] });
  // The first one opens the connection.
  await trigger();
  let runId = "";
  const nats = Number(readFileSync(join(server.data, "nats", "nats-server.pid"), "utf8"));
  const calls = await systemCalls([server.program.pid, nats], async () => {
    const { outcomes } = await trigger();
    runId = String(outcomes[0]?.outcome.value);
  });
  const find = (what: string, matches: (call: SystemCall) => boolean): SystemCall => {
    const found = calls.find(matches);
    if (!found) throw new Error(`the trace does not show ${what}:\n${calls.map((call) => call.text.slice(0, 200)).join("\n")}`);
    return found;
  };
  return {
    toDisk: find("the record being written", ({ name, text }) => /write/.test(name) && text.includes(".blk>") && text.includes(marker)),
    acknowledged: find("nats-server's acknowledgement", ({ name, text }) => /write/.test(name) && text.includes('{\\"stream\\":\\"RUNLANE_LOG_0\\"')),
    answered: find("the answer", ({ name, text }) => /write/.test(name) && text.includes(runId) && text.includes(`:${new URL(server.address).port}->`)),
    syncs: calls.filter(({ name, text }) => /^f(data)?sync$/.test(name) && text.includes(".blk>")),
  };
}

describe.skipIf(tracingFault())("an acknowledged trigger", () => {
  test("is on disk: fsync ends between the write of its record and the acknowledgement", async () => {
    const { toDisk, syncs, acknowledged, answered } = await traceTrigger("always");
    const between = syncs.filter((sync) => sync.began > toDisk.ended && sync.ended < acknowledged.began);
    expect(between.length).toBeGreaterThan(0);
    expect(answered.began).toBeGreaterThan(acknowledged.began);
  });

  test("is only written, not synced, where somebody chose --sync lazy", async () => {
    const { toDisk, syncs, answered } = await traceTrigger("lazy");
    expect(syncs).toEqual([]);
    expect(answered.began).toBeGreaterThan(toDisk.ended);
  });
});
