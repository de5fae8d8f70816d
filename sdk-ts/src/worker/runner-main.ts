import { Socket } from "node:net";
import { runRuntimeStorage } from "../runtime/run-runtime.js";
import { FramePipe } from "./frame-pipe.js";
import { readManifest } from "./manifest.js";
import { dieWithPipe } from "./parent-watch.js";
import { chargeFaults } from "./process-faults.js";
import { labelOutput } from "./run-output.js";
import { Runner } from "./runner.js";
import { readRunnerRequest } from "./runner-frames.js";
import { loadTasks } from "./task-library.js";

// The process that executes user code; started by a supervisor as `node runner-main.js <manifest>`. Pipe 3 carries frames, pipe 4 nothing: its end is the supervisor's.
dieWithPipe(4);
process.title = "runlane runner";
const manifest = readManifest(process.argv[2]!);
const socket = new Socket({ fd: 3, readable: true, writable: true });
const runner = new Runner({
  send: (frame) => pipe.send(frame),
  build: { ...manifest, filePaths: new Map(manifest.tasks.map((task) => [task.id, task.filePath])) },
  defaultRetry: manifest.defaultRetry,
  retriesEnabled: manifest.retriesEnabled,
  logLevel: manifest.logLevel,
  quietFailures: manifest.quietFailures,
});
const pipe = new FramePipe(socket, (frame) => runner.receive(readRunnerRequest(frame)));
// The watching thread sees the end too, and acts on it.
socket.on("error", () => {});
if (!manifest.plainOutput) labelOutput(runRuntimeStorage());
chargeFaults((fault) => runner.charge(fault));
runner.loaded(await loadTasks(manifest.modules, manifest.configModule));
