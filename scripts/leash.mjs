// Loaded by `node --import` into a program that `npm start` started: when the pipe on file descriptor 3 closes, because its other end has died, the program gets
// SIGTERM. So nothing is left behind even if `npm start` itself is killed with SIGKILL.
import { Socket } from "node:net";

// Programs that this one starts inherit the option, but not the pipe.
if (process.env.RUNLANE_LEASH) {
  delete process.env.RUNLANE_LEASH;
  const pipe = new Socket({ fd: 3, readable: true, writable: false });
  pipe.on("error", () => {});
  pipe.on("close", () => process.kill(process.pid, "SIGTERM"));
  pipe.resume();
  pipe.unref();
}
