/** Takes what a worker says of itself: one line for people. */
export type WorkerLog = (line: string) => void;

/** Writes lines to stderr; stdout belongs to the tasks. */
export const logToStderr: WorkerLog = (line) => {
  process.stderr.write(`runlane worker: ${line}\n`);
};
