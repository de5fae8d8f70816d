import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nowMs, sleep } from "../clock.js";
import { ownWorkload } from "./workload.js";

const runsBeforeKillMs = 1_000;

/** SIGKILL of the supervisor of a task that takes a minute: how long until the task starts again, by what it writes into a file. */
export const kill = ownWorkload("kill", ["restart"], async (stage) => {
  const worker = stage.startWorker();
  const diary = join(stage.folder, "diary");
  await stage.startClient().ask("triggerLongHaul", diary);
  await worker.program.until("the task has started", () => readStarts(diary)[0]);
  await sleep(runsBeforeKillMs);
  const pid = worker.supervisorPid();
  const killedMs = nowMs();
  process.kill(pid, "SIGKILL");
  const again = await worker.program.until("the task has started again", () => readStarts(diary)[1]);
  if (again.attempt !== 2) throw new Error(`the task started again as attempt ${again.attempt}`);
  const value = (again.startedMs - killedMs) / 1_000;
  return [{ metric: "restart", value, unit: "s", n: 1, note: "SIGKILL of the supervisor to the next start of its task" }];
});

/** What the task has written: a line for each start. */
function readStarts(diary: string): { attempt: number; startedMs: number }[] {
  if (!existsSync(diary)) return [];
  const lines = readFileSync(diary, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => {
    const [attempt, startedMs] = line.split(" ").map(Number);
    return { attempt: attempt!, startedMs: startedMs! };
  });
}
