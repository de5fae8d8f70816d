import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { AttemptReporter } from "./attempt-reporter.js";
import { readManifest } from "./manifest.js";
import { spawnRunner } from "./runner-spawn.js";
import type { LauncherLine, SupervisorArguments, SupervisorLine } from "./supervisor-arguments.js";
import { jsonLines, supervisorExitCodes } from "./supervisor-arguments.js";
import { logToStderr } from "./worker-log.js";

// The process that holds a worker's session; started by a launcher as `node supervisor-main.js <SupervisorArguments as JSON>`, as the leader of a process group of its own. Pipe 3 is
// the launcher's: its end is this process's end.
process.title = "runlane supervisor";
const args = JSON.parse(process.argv[2]!) as SupervisorArguments;
const manifest = readManifest(args.manifestFile);
const program = {
  entry: manifest.runnerEntry ?? fileURLToPath(new URL("./runner-main.js", import.meta.url)),
  manifestFile: args.manifestFile,
  conditions: manifest.conditions,
};
// Both take a while: the runner loads its task files while this process loads gRPC.
const firstRunner = spawnRunner(program);
const [{ Supervisor }, { createConnectionSource }, { resolveWorkerTarget }, { loadGrpc }] = await Promise.all([
  import("./supervisor.js"),
  import("../client/connection-source.js"),
  import("../client/configuration.js"),
  import("../client/grpc-connection.js"),
]);
await loadGrpc();

const launcher = new Socket({ fd: 3, readable: true, writable: true });
const killGroup = () => {
  process.kill(-process.pid, "SIGKILL");
};
launcher
  .on("error", () => {})
  .on("close", killGroup)
  .on(
    "data",
    jsonLines<LauncherLine>(({ drain }) => {
      if (drain) leave(drain.graceMs);
    }),
  );
const tell = (line: SupervisorLine) => void launcher.write(`${JSON.stringify(line)}\n`);

const supervisor = new Supervisor({
  manifest,
  program,
  source: createConnectionSource(() => resolveWorkerTarget()),
  log: logToStderr,
  workerId: args.workerId,
  incarnation: BigInt(args.incarnation),
  slots: args.slots,
  capacity: args.capacity,
  sharedRunners: args.sharedRunners,
  firstRunner,
  reporter: args.reportsAttempts ? new AttemptReporter((attempt) => tell({ attempt })) : undefined,
  onWelcome({ environment, version }) {
    tell({ connected: { environment, version } });
  },
  onRefused(error) {
    logToStderr(`the server refuses this worker: ${error.rawMessage}`);
    process.exit(supervisorExitCodes.refused);
  },
});

const leave = (graceMs: number | undefined) => {
  const left = supervisor.drain("the worker is stopping", graceMs);
  tell({ draining: true });
  void left.then(() => process.exit(supervisorExitCodes.finished));
};
let signalled = false;
const onSignal = () => {
  // Whoever asks twice means at once.
  if (signalled) killGroup();
  signalled = true;
  leave(args.graceMs);
};
process.on("SIGTERM", onSignal);
process.on("SIGINT", onSignal);
try {
  supervisor.start();
} catch (error) {
  // No secret key, or an address that is none.
  logToStderr(error instanceof Error ? error.message : String(error));
  process.exit(supervisorExitCodes.refused);
}
