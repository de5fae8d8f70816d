import type { ConnectError } from "@connectrpc/connect";
import type { Welcome } from "#gen/runlane/v1/worker_service_pb.js";
import type { ConnectionSource } from "../client/connection-source.js";
import type { AttemptReporter } from "./attempt-reporter.js";
import type { WorkerManifest } from "./manifest.js";
import type { RunnerChild, RunnerProgram } from "./runner-spawn.js";
import type { WorkerRoom } from "./worker-capacity.js";
import type { WorkerLog } from "./worker-log.js";

/** How a supervisor is set up. */
export interface SupervisorOptions extends WorkerRoom {
  readonly manifest: WorkerManifest;
  readonly program: RunnerProgram;
  readonly source: ConnectionSource;
  readonly log: WorkerLog;
  /** See Hello. */
  readonly workerId: string;
  readonly incarnation: bigint;
  /** Attempts at once; waiting ones do not count. */
  readonly slots: number;
  /** Processes of one attempt each without a machine that execute at once, at most. Default: four for each processor, eight at least. */
  readonly ownRunners?: number | undefined;
  /** Waiting attempts that stay in their processes, at most; of more, the longest-waiting leave and go on elsewhere. Default 1,000. */
  readonly mostWarmWaiting?: number | undefined;
  /** A shared runner that has been started already. */
  readonly firstRunner?: RunnerChild | undefined;
  /** Hears of every attempt. Default: nobody does. */
  readonly reporter?: AttemptReporter | undefined;
  /** The process lives as long as the session. Default true. */
  readonly keepsAlive?: boolean | undefined;
  /** The server has taken the worker, for the first time or on another stream. */
  readonly onWelcome: (welcome: Welcome) => void;
  /** The server does not want this worker; trying again is of no use. */
  readonly onRefused: (error: ConnectError) => void;
}
