import { Worker } from "node:worker_threads";

// In a thread of its own, because user code may block the main one for ever. The read must be asynchronous: a blocked thread could not be ended with the process.
const watchSource = `
  const { Socket } = require("node:net");
  const { workerData } = require("node:worker_threads");
  const pipe = new Socket({ fd: workerData.fd, readable: true, writable: false });
  const kill = () => process.kill(process.pid, "SIGKILL");
  pipe.on("error", kill).on("close", kill).resume();
`;

/** Ends this process by SIGKILL as soon as the other end of the pipe `fd` is closed: a runner must not outlive its supervisor, or its attempts would run twice. */
export function dieWithPipe(fd: number): void {
  const thread = new Worker(watchSource, {
    eval: true,
    workerData: { fd },
    stdout: false,
    stderr: false,
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 8 },
  });
  // The pipe says all that is to be said: a thread that fails to start closes nothing, so it must not pass unnoticed.
  thread.on("error", (error) => {
    throw error;
  });
  thread.unref();
}
