import { startExecutor } from "@runlane/executor";
import { createMemoryServer, createMemoryTransport, type Logger, MemoryLog, MemoryOwnership, MemoryPayloadStore, type MemoryServer } from "@runlane/platform";
import { startOwner } from "@runlane/queue";
import { startScheduler } from "@runlane/scheduler";
import type { RunJournal } from "./run-journal.js";
import { endlessLeaseMs, type VirtualClock } from "./virtual-clock.js";

const environment = "dev";
const nodeId = "testing";

/** The server's part of a platform. */
export interface EngineRoom {
  /** The public services. */
  readonly server: MemoryServer;
  close(): Promise<void>;
}

/** Starts what `runlane server` starts, but for nats-server, its listeners, and the database of history. The journal hears of everything that is committed. */
export async function startEngineRoom(clock: VirtualClock, journal: RunJournal, logger: Logger): Promise<EngineRoom> {
  const ownership = new MemoryOwnership();
  const transport = createMemoryTransport({ logger });
  const log = new MemoryLog();
  const room = { nodeId, transport, directory: ownership, logger };
  const scheduler = await startScheduler({ ...room, payloads: new MemoryPayloadStore(), publicUrl: "http://127.0.0.1:7401" });
  const executor = await startExecutor(room);
  const owner = startOwner({
    partition: 0,
    nodeId,
    log,
    claims: ownership,
    history: journal,
    transport,
    logger,
    environments: [environment],
    leaseMs: endlessLeaseMs,
    clock,
  });
  await owner.ready;
  return {
    server: createMemoryServer([...scheduler.services, ...executor.services], { principal: { environment }, logger }),
    async close() {
      await scheduler.close();
      await executor.close();
      await owner.close();
      await transport.close();
      await log.close();
    },
  };
}
