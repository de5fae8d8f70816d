import type { JournalEntry } from "@runlane/platform/gen/runlane/v1/worker_service_pb.js";
import { numberOfId } from "./id.js";
import type { Model } from "./model.js";
import type { RunModel } from "./run-model.js";
import { promise } from "./violation.js";
import { hasEnded } from "./wait-model.js";

/** Checks what a worker is told of the calls that a run's code has made: all that is on disk, nothing else, ended in the order in which they were. */
export function checkJournal(model: Model, run: RunModel, length: number, entries: readonly JournalEntry[]): void {
  const whole = entries.filter(({ more }) => !more);
  promise(whole.length === length, () => `the journal of run ${run.number} has ${length} entries, and ${whole.length} came`);
  // Without being resumed, it has the steps of earlier attempts alone.
  const steps = run.resumed ? whole.filter(({ earlierAttempt }) => earlierAttempt) : whole;
  const told = steps.map(({ output }) => (output ? Buffer.from(output.data).toString("hex") : "")).join();
  promise(told === run.steps.join(), () => `the earlier steps of run ${run.number} are told as ${told}, and were ${run.steps.join()}`);
  if (!run.resumed) return;
  const present = whole.filter(({ earlierAttempt }) => !earlierAttempt);
  const known = [...run.journal.keys()].sort((a, b) => a - b).join();
  const said = present
    .map(({ commandId }) => commandId)
    .sort((a, b) => a - b)
    .join();
  promise(said === known, () => `run ${run.number} goes on with the calls ${said} in its journal, and made ${known}`);
  for (const entry of present) checkEntry(model, run, entry, entries);
  const order = present.filter(({ settled }) => settled > 0).sort((a, b) => a.settled - b.settled);
  for (let i = 1; i < order.length; i++) {
    const [one, other] = [whenEnded(run, order[i - 1] as JournalEntry), whenEnded(run, order[i] as JournalEntry)];
    const inOrder = one[0] < other[0] || (one[0] === other[0] && one[1] <= other[1]);
    promise(inOrder, () => `calls ${order[i - 1]?.commandId} and ${order[i]?.commandId} of run ${run.number} are told in another order than they ended in`);
  }
}

function checkEntry(model: Model, run: RunModel, { commandId, waitId, settled, output, failure, end }: JournalEntry, all: readonly JournalEntry[]): void {
  const entry = run.journal.get(commandId);
  const name = `call ${commandId} of run ${run.number}`;
  promise(entry?.waitId === waitId, () => `${name} is told as wait ${waitId}, and was ${entry?.waitId}`);
  if (entry.isRecord) {
    const text = output && Buffer.from(output.data).toString("hex");
    promise(text === entry.text && (failure !== undefined) === (entry.text === undefined), () => `${name} came to ${entry.text}, and is told as ${text}`);
  }
  const wait = run.waits.get(waitId);
  promise(settled > 0 === (wait === undefined || hasEnded(model, wait)), () => `${name} is told as ${settled > 0 ? "ended" : "open"}`);
  if (!wait || settled === 0) return;
  const results = all.filter((part) => part.commandId === commandId && !part.earlierAttempt).flatMap((part) => part.results);
  const [told, ended] = [
    results.map(({ runId, state }) => `${numberOfId(runId)}:${state}`).join(),
    wait.children.map((child) => `${child}:${model.run(child).final}`).join(),
  ];
  promise(told === ended, () => `${name} came to ${ended}, and is told as ${told}`);
  checkEnd(model, wait.token, end, name);
}

/** Checks how the end of a wait for a token is told. */
export function checkEnd(model: Model, number: number, end: JournalEntry["end"], name: string): void {
  const token = model.waitTokens.get(number);
  if (!token) return;
  const output = end?.output ? Buffer.from(end.output.data).toString("hex") : "";
  promise(
    end !== undefined && output === token.output && end.timedOut === (token.state === "timed out"),
    () => `${name} hears ${output} of token ${number}, which is ${token.state} with ${token.output}`,
  );
}

/** When the code saw a call end, and among what it saw at once, which had ended first. */
function whenEnded(run: RunModel, { commandId, waitId }: JournalEntry): readonly [number, number] {
  const wait = run.waits.get(waitId);
  const answered = run.journal.get(commandId)?.answeredAt ?? 0;
  return wait ? [Math.max(answered, wait.toldAt), wait.endedAt] : [answered, answered];
}
