import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ConnectError } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import type { Welcome } from "#gen/runlane/v1/worker_service_pb.js";
import { createConnectionSource } from "../client/connection-source.js";
import { readManifest, type WorkerManifest } from "../worker/manifest.js";
import { Supervisor } from "../worker/supervisor.js";
import type { SupervisorOptions } from "../worker/supervisor-options.js";
import { FakeWorkerService } from "./fake-worker-service.js";

/** Runner processes are of the build: `npm run build` makes it. */
export const runnerEntry = fileURLToPath(new URL("../../dist/worker/runner-main.js", import.meta.url));

/** The environment before any test, which files that share this process find again. */
const { RUNLANE_ADDRESS, RUNLANE_SECRET_KEY } = process.env;

const plainTasks = fileURLToPath(new URL("./tasks/plain.mjs", import.meta.url));
const plainIds = [
  ...["echo", "context", "throws", "throws-value", "aborts", "returns-function", "returns-broken", "checked", "returns-much", "measures", "speaks"],
  ...["patient", "deaf", "deaf-machine", "pid", "parent-pid", "machine-pid", "own-pid-then-sleep", "sleeps", "gated", "blocks"],
  ...["exits", "exits-later", "uncaught", "unhandled", "child", "parent", "parent-of-two", "fan-out", "waits", "not-in-the-code"],
];
const machines: Record<string, string> = { "deaf-machine": "micro", "machine-pid": "micro" };

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "runlane-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a manifest of the tasks in tasks/plain.mjs into a folder; its file. */
export function writeManifest(folder: string, more: Partial<WorkerManifest> = {}): string {
  const manifest: WorkerManifest = {
    formatVersion: 1,
    buildId: "build",
    modules: [plainTasks],
    runnerEntry,
    tasks: plainIds.map((id) => ({ id, filePath: "tasks/plain.mjs", maxAttempts: 3, machine: machines[id] })),
    ...more,
  };
  const file = join(folder, "manifest.json");
  writeFileSync(file, JSON.stringify(manifest));
  return file;
}

/** A supervisor in this process, with runner processes, and the fake service that it speaks to. */
export class TestWorker {
  readonly service = new FakeWorkerService();
  readonly lines: string[] = [];
  readonly welcomes: Welcome[] = [];
  refusal: ConnectError | undefined;
  supervisor!: Supervisor;
  readonly #folder = mkdtempSync(join(tmpdir(), "runlane-"));

  /** Starts both. */
  async start(options: Partial<SupervisorOptions> = {}, manifest: Partial<WorkerManifest> = {}): Promise<void> {
    await this.service.start();
    // Where runners find the server, for payloads that do not travel through their supervisor.
    Object.assign(process.env, { RUNLANE_ADDRESS: this.service.address, RUNLANE_SECRET_KEY: "rl_dev_test" });
    const manifestFile = writeManifest(this.#folder, manifest);
    this.supervisor = new Supervisor({
      manifest: readManifest(manifestFile),
      program: { entry: runnerEntry, manifestFile },
      source: createConnectionSource(() => ({ address: this.service.address, secretKey: "rl_dev_test" })),
      log: (line) => this.lines.push(line),
      workerId: "worker-1",
      incarnation: 1n,
      slots: 10,
      sharedRunners: 1,
      onWelcome: (welcome) => this.welcomes.push(welcome),
      onRefused: (error) => {
        this.refusal = error;
      },
      ...options,
    });
    this.supervisor.start();
  }

  /** Resolves when the worker has been welcomed. */
  async welcomed(): Promise<void> {
    await this.service.until(() => this.welcomes.length > 0);
  }

  async stop(): Promise<void> {
    this.service.settle();
    await this.supervisor.drain("the test is over", 0);
    await this.service.stop();
    for (const [name, value] of Object.entries({ RUNLANE_ADDRESS, RUNLANE_SECRET_KEY })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A worker that has been welcomed; it ends with the test. `service` sets the service up before the worker meets it; tests that run side by side give their own `onCleanUp`. */
export async function welcomedWorker(
  options: Partial<SupervisorOptions> = {},
  {
    manifest,
    service,
    onCleanUp = onTestFinished,
  }: {
    manifest?: Partial<WorkerManifest>;
    service?: Partial<Pick<FakeWorkerService, "leaseMs" | "heartbeatMs">>;
    onCleanUp?: (end: () => Promise<void>) => void;
  } = {},
): Promise<TestWorker> {
  const worker = new TestWorker();
  onCleanUp(() => worker.stop());
  Object.assign(worker.service, service);
  await worker.start(options, manifest);
  await worker.welcomed();
  return worker;
}

/** True while a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
