import type { Environment } from "./environment.js";
import type { LimitRecord } from "./limit-record.js";
import type { Line } from "./line.js";
import type { Machine } from "./machine.js";
import type { Needing } from "./ready-list.js";
import { Ring } from "./ring.js";
import type { Connection } from "./volatile.js";

/**
 * - `start`: a worker, and a slot of everything.
 * - `rearmed`: a worker; a short retry delay has passed, and the run holds its slots.
 * - `revive`: a worker that knows journals, and a slot of everything; the run goes on from its journal.
 * - `resume`: a slot of everything; the wait has ended, and the run has its worker.
 */
export type NeedKind = "start" | "rearmed" | "resume" | "revive";

/**
 * What ready runs of an environment need, beside what their queue and key allow: a kind of worker, and named limits. What is missing here is missing for all of them, so they wait for it
 * together. An index.
 */
export interface Need {
  readonly kind: NeedKind;
  /** Empty for resumes. */
  readonly taskId: string;
  /** The version that it is bound to; empty: any that starts runs. */
  readonly version: string;
  readonly machine: Machine | undefined;
  /** Task and machine in one word. */
  readonly demand: string;
  /** All of it in one word. */
  readonly key: string;
  readonly limits: readonly LimitRecord[];
  /** The runs have concurrency keys, so what a limit allows each key is between them and their lists. */
  readonly keyed: boolean;
  /** Queues that have such runs, as far as they may start one: they take turns. */
  readonly lines: Ring<Line>;
  /** All queues that have such runs, or had a moment ago. */
  lineCount: number;
  /** What is missing; undefined: nothing that is known. */
  blocked: "worker" | LimitRecord | undefined;
  /** It is in the heap of those that are not blocked, under this ticket. */
  listed: boolean;
  listedTicket: number;
  /** The worker that has room for the next; found by `place`. */
  worker: Connection | undefined;
}

/** The need of a ready run, made if there is none. */
export function needOf(environment: Environment, run: Needing, kind: NeedKind): Need {
  const { needs } = environment.flow;
  const key = needKeyOf(run, kind);
  let need = needs.get(key);
  if (!need) {
    const { taskId, version, machine } = run;
    need = {
      kind,
      taskId: kind === "resume" ? "" : taskId,
      version: kind === "resume" ? "" : version,
      machine: kind === "resume" ? undefined : machine,
      demand: kind === "revive" ? `~${demandOf(run)}` : demandOf(run),
      key,
      limits: kind === "rearmed" ? [] : (run.slots?.map(({ limit }) => limit) ?? []),
      keyed: run.lane.key !== "",
      lines: new Ring(),
      lineCount: 0,
      blocked: undefined,
      listed: false,
      listedTicket: 0,
      worker: undefined,
    };
    needs.set(key, need);
  }
  return need;
}

/** What a run needs, in one word. Most need their task and no more: for them it is that word. */
export function needKeyOf(run: Needing, kind: NeedKind): string {
  const { slots, lane } = run;
  const limits = slots === undefined || kind === "rearmed" ? "" : `\n#${slots.map(({ limit }) => limit.name).join("\n#")}${lane.key === "" ? "" : "\n*"}`;
  if (kind === "resume") return `\n<${limits}`;
  const worker = run.version === "" ? demandOf(run) : `${demandOf(run)}\n@${run.version}`;
  if (kind === "revive") return `\n~${worker}${limits}`;
  return kind === "start" ? worker + limits : `\n!${worker}`;
}

function demandOf({ taskId, machine }: Needing): string {
  return machine === undefined ? taskId : `${taskId}\n${machine.name}`;
}
