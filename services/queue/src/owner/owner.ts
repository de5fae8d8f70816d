import { toBinary } from "@bufbuild/protobuf";
import {
  ClaimLost,
  type InternalTransport,
  type Log,
  LogConflict,
  type Logger,
  type Metrics,
  type PartitionClaim,
  type PartitionClaims,
  type PayloadStore,
  type Served,
} from "@runlane/platform";
import { HistoryService } from "@runlane/platform/gen/runlane/internal/v1/history_service_pb.js";
import { LogRecordSchema } from "@runlane/platform/gen/runlane/internal/v1/log_pb.js";
import { OwnerService } from "@runlane/platform/gen/runlane/internal/v1/owner_service_pb.js";
import type { History } from "../history/history.js";
import { historyAddress, historyService } from "../history/history-service.js";
import { recover } from "../snapshot/recover.js";
import { SnapshotKeeper } from "../snapshot/snapshot-keeper.js";
import { defaultSnapshotRules, type SnapshotRules } from "../snapshot/snapshot-rules.js";
import type { Snapshots } from "../snapshot/snapshots.js";
import { type Clock, systemClock } from "./clock.js";
import { ownerService } from "./owner-service.js";
import { Partition } from "./partition.js";
import { SlotAudit } from "./slot-audit.js";
import { openSpillFile, type SpillFile } from "./spill-file.js";

/** How long a session may be silent before what it holds is lost, unless told otherwise. */
export const defaultLeaseMs = 10_000;

/**
 * Where a node stands with its partition.
 *
 * - `waiting`: another node has it, or the claim is being asked for. This node takes over when it can.
 * - `taking over`: the claim is this node's; the log is replayed.
 * - `serving`
 * - `closed`: for good.
 */
export type OwnerState = "waiting" | "taking over" | "serving" | "closed";

/** How long what is under way may take to reach the disk when the owner leaves, in milliseconds. A log that is away is not waited for: callers repeat. */
const lastAppendMs = 2_000;

/** What an owner needs. */
export interface OwnerOptions {
  /** The partition. One machine has one: 0. */
  readonly partition: number;
  readonly nodeId: string;
  readonly log: Log;
  readonly claims: PartitionClaims;
  /** Follows what the owner commits, and is served beside it. Without one there are no lists, and finished runs are readable only as long as they are in memory. */
  readonly history?: History;
  readonly transport: InternalTransport;
  readonly logger: Logger;
  /** Where it tells what its audit finds, see {@link SlotAudit}. Without it, there is no audit. */
  readonly metrics?: Metrics | undefined;
  /** Where the state is kept besides the log, so that the log can be purged and a take-over need not replay all of it. Without it, the log grows for ever. */
  readonly snapshots?: Snapshots;
  /** When a snapshot is due, and what is kept. Default {@link defaultSnapshotRules}. */
  readonly snapshotRules?: Partial<SnapshotRules> | undefined;
  /** Where payloads are that are too large for the log. Without one, the bytes of those that are dropped stay where they are. */
  readonly payloads?: PayloadStore;
  /** Folder for payloads of runs far back in the backlog, as far as memory has no room for them. Nothing in it is needed after the process has ended. Without one, all stay in memory. */
  readonly spillFolder?: string | undefined;
  /** Environments that must exist. Default: dev. */
  readonly environments?: readonly string[];
  /** Default {@link defaultLeaseMs}. */
  readonly leaseMs?: number;
  /** How long a run that is bound to a version waits for a worker of it before it starts on the current one, in milliseconds. Default 5 minutes. */
  readonly versionPatienceMs?: number | undefined;
  /** Default: this machine's. */
  readonly clock?: Clock;
  /** Hears where the node stands, whenever that changes; `waiting` comes first. */
  readonly onState?: (state: OwnerState) => void;
}

/** A node that owns a partition whenever it can. */
export interface OwnerHandle {
  /** Resolves when the partition is served for the first time. */
  readonly ready: Promise<void>;
  /**
   * Takes nothing new, lets what is under way reach the disk (for 2 s at most), gives the claim up, and leaves the log to others: another node that waits takes over at once. Callers hear
   * NOT_OWNER, and so look for it.
   */
  close(): Promise<void>;
}

/**
 * Owns a partition: claims it, takes its log over, replays, serves, and begins again when the log is lost to another.
 *
 * The claim says who should try; that nobody else writes comes from the log alone: the epoch record is appended at the log's last sequence, and each append expects the one before.
 */
export function startOwner(options: OwnerOptions): OwnerHandle {
  const { logger, onState = () => {} } = options;
  const closing = new AbortController();
  let firstServed: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    firstServed = resolve;
  });
  let served: Epoch | undefined;
  const done = (async () => {
    for (let failures = 0; !closing.signal.aborted; ) {
      try {
        onState("waiting");
        const claim = await options.claims.claim(options.partition, options.nodeId, { signal: closing.signal });
        onState("taking over");
        served = await takeOver(options, claim, closing.signal);
        onState("serving");
        firstServed();
        failures = 0;
        const cause = await served.lost;
        if (closing.signal.aborted) return;
        logger.warn(
          { err: cause, epoch: served.epoch },
          cause instanceof LogConflict ? "another owner has the log: starting over" : "the epoch ended: starting over",
        );
        await served.end();
      } catch (error) {
        if (closing.signal.aborted) return;
        failures += 1;
        logger.error({ err: error }, "the partition could not be taken over; trying again");
        await pause(Math.min(100 * 2 ** failures, 5_000), closing.signal);
      }
    }
  })();
  return {
    ready,
    async close() {
      closing.abort();
      await served?.end();
      await done;
      onState("closed");
    },
  };
}

/** One epoch that is served. */
interface Epoch {
  readonly epoch: number;
  /** Resolves, with the cause, when the epoch is over. */
  readonly lost: Promise<unknown>;
  end(): Promise<void>;
}

async function takeOver(options: OwnerOptions, claim: PartitionClaim, signal: AbortSignal): Promise<Epoch> {
  const { log, logger, transport, nodeId, history, snapshots, partition: number } = options;
  const clock = options.clock ?? systemClock;
  let partition: Partition | undefined;
  let server: Served | undefined;
  let historyServer: Served | undefined;
  let keeper: SnapshotKeeper | undefined;
  let audit: SlotAudit | undefined;
  let spill: SpillFile | undefined;
  let ended = false;
  const end = async () => {
    if (ended) return;
    ended = true;
    keeper?.stop();
    audit?.stop();
    await partition?.leave(lastAppendMs);
    await server?.close();
    // Calls that wait for changes would wait for long: whoever made them asks the next owner.
    void historyServer?.close();
    spill?.close();
    await claim.release();
  };
  try {
    const epoch = await startEpoch(log, nodeId, clock);
    if (options.spillFolder) spill = openSpillFile(options.spillFolder, logger);
    const { durable, snapshot, events, bytes, ms } = await recover({ log, store: snapshots?.store, to: epoch, logger, backlog: { spill } });
    const rules = { ...defaultSnapshotRules, ...options.snapshotRules };
    const since = { events, bytes };
    keeper = snapshots && new SnapshotKeeper({ log, snapshots, history, rules, clock, logger, last: snapshot, since });
    signal.throwIfAborted();
    history?.begin(epoch);
    let lose: (cause: unknown) => void = () => {};
    const lost = new Promise<unknown>((resolve) => {
      lose = resolve;
    });
    signal.addEventListener("abort", () => lose(signal.reason), { once: true });
    // A claim that merely lapsed may be renewed; until then callers hear NOT_OWNER.
    claim.onLost((why) => {
      if (why === "taken") lose(new ClaimLost(`partition ${number} was claimed by another node`));
    });
    partition = new Partition({
      log,
      epoch,
      durable,
      ...(history ? { history } : {}),
      committed: (sequence, record, events) => {
        history?.feed(sequence, record);
        keeper?.committed(sequence, record.length, events);
      },
      ...(options.payloads ? { payloads: options.payloads } : {}),
      transport,
      clock,
      logger,
      environments: options.environments ?? ["dev"],
      leaseMs: options.leaseMs ?? defaultLeaseMs,
      versionPatienceMs: options.versionPatienceMs,
      claimed: () => claim.valid(),
      lost: lose,
    });
    await partition.begin();
    audit = options.metrics && new SlotAudit({ partition: number, durable, clock, logger, metrics: options.metrics });
    const address = `owner.${number}.${epoch}`;
    if (history) historyServer = await transport.serve(historyAddress(number, epoch), HistoryService, historyService(history));
    server = await transport.serve(address, OwnerService, ownerService(partition));
    await claim.publish({ epoch: BigInt(epoch), address });
    const from = snapshot?.sequence ?? 0;
    logger.info({ partition: number, epoch, snapshot: from, events, recoverMs: Math.round(ms), runs: durable.runs.size }, "partition served");
    return { epoch, lost, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Appends the epoch record at the log's last sequence; from then on nobody else's append succeeds. */
async function startEpoch(log: Log, nodeId: string, clock: Clock): Promise<number> {
  for (;;) {
    const last = await log.last();
    const nonce = Array.from({ length: 4 }, () => Math.floor(clock.random() * 2 ** 32).toString(36)).join("");
    const record = toBinary(LogRecordSchema, {
      $typeName: "runlane.internal.v1.LogRecord",
      record: {
        case: "epochStarted",
        value: { $typeName: "runlane.internal.v1.EpochStarted", owner: nodeId, nonce, timeMs: BigInt(Math.floor(clock.now())) },
      },
    });
    try {
      return await log.append(last, record);
    } catch (error) {
      // The owner before was still writing; its next append fails now that ours is first, or ours fails again.
      if (!(error instanceof LogConflict)) throw error;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
