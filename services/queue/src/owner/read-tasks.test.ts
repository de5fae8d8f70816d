import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createMemoryTransport, MemoryLog, MemoryOwnership } from "@runlane/platform";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import { WorkRequestSchema } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { expect, test } from "vitest";
import { silentLogger } from "../testing/logger.js";
import { startOwner } from "./owner.js";

test("tasks that would not fit into one message come on several pages", async () => {
  const transport = createMemoryTransport({ logger: silentLogger });
  const ownership = new MemoryOwnership();
  const handle = startOwner({ partition: 0, nodeId: "node", log: new MemoryLog(), claims: ownership, transport, logger: silentLogger });
  await handle.ready;
  const owner = createClient(OwnerService, transport.to(ownership.current(0)?.address ?? ""));
  const count = 500;
  // Each is 3 kB: 1.5 MB in all, more than the internal transport carries at once, and so do two workers declare them.
  const tasks = Array.from({ length: count }, (_, i) => ({ id: `task-${String(i).padStart(3, "0")}`, description: "€".repeat(1_000) }));
  for (const [index, part] of [tasks.slice(0, count / 2), tasks.slice(count / 2)].entries()) {
    const hello = { protocolRevision: 1, workerId: `w${index}`, incarnation: 1n, slots: 1, buildId: `b${index}`, tasks: part };
    const frame = toBinary(WorkRequestSchema, create(WorkRequestSchema, { hello }));
    await owner.relayFrames({ executor: "executor.test", frames: [{ streamId: `s${index}`, sequence: 1n, environment: "dev", frame }] });
  }
  const found: string[] = [];
  let pages = 0;
  for (let more = true; more; pages++) {
    const page = (await owner.readTasks({ environment: "dev", after: found.at(-1) ?? "", limit: 1_000 })).tasks;
    found.push(...page.map(({ id }) => id));
    more = page.length > 0;
  }
  expect(found).toEqual(tasks.map(({ id }) => id));
  expect(pages).toBeGreaterThan(2);
  expect((await owner.readTasks({ environment: "dev", limit: 3 })).tasks).toHaveLength(3);
  await handle.close();
});
