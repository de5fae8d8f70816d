import { ack } from "./ack.js";
import { backlog } from "./backlog.js";
import { bulk } from "./bulk.js";
import { endToEnd } from "./end-to-end.js";
import { enqueue } from "./enqueue.js";
import { finishedBehind } from "./finished.js";
import { idle } from "./idle.js";
import { isolated } from "./isolated.js";
import { kill } from "./kill.js";
import { load } from "./load.js";
import { pickup } from "./pickup.js";
import { recover } from "./recover.js";
import { series } from "./series.js";
import { wait } from "./wait.js";
import type { Workload } from "./workload.js";

/** All workloads, in the order in which they are run if nobody says otherwise. */
export const workloads: readonly Workload[] = [
  ack,
  enqueue,
  bulk,
  endToEnd,
  isolated,
  wait,
  pickup,
  load,
  kill,
  recover,
  idle,
  series,
  backlog,
  finishedBehind,
];
