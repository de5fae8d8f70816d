import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { commandLine, descendants } from "./processes.js";
import { Program, type ProgramOptions, repository, runlaneCommand } from "./program.js";
import { RunClient } from "./run-client.js";
import { temporaryFolder } from "./temporary-folder.js";

/** A line of `runlane dev --json`. */
export interface DevEvent {
  event: string;
  version?: string;
  tasks?: string[];
  tookMs?: number;
  message?: string;
  runId?: string;
  taskId?: string;
  failure?: { name: string; message: string; stackTrace: string };
}

/** A project of its own with the SDK installed. */
export class TestProject {
  readonly folder = realpathSync(temporaryFolder());

  constructor(files: Record<string, string>) {
    mkdirSync(join(this.folder, "node_modules/@runlane"), { recursive: true });
    symlinkSync(join(repository, "sdk-ts"), join(this.folder, "node_modules/@runlane/sdk"));
    for (const [path, text] of Object.entries({ "package.json": '{ "type": "module" }', ...files })) this.write(path, text);
  }

  /** Writes a file, as an editor does when it saves. */
  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Builds of sessions that are there. */
  builds(): string[] {
    const folder = join(this.folder, "node_modules/.cache/runlane");
    return existsSync(folder) ? readdirSync(folder).flatMap((session) => readdirSync(join(folder, session)).map((build) => `${session}/${build}`)) : [];
  }
}

/** `runlane dev` in a project. It ends with the test. */
export class DevSession {
  readonly project: TestProject;
  readonly program: Program;

  constructor(project: TestProject, { args = [], env }: { args?: string[]; env?: ProgramOptions["env"] } = {}) {
    this.project = project;
    this.program = new Program(runlaneCommand, ["dev", "--json", ...args], { cwd: project.folder, env: { RUNLANE_LISTEN: "127.0.0.1:0", ...env } });
    onTestFinished(async () => void (await this.program.stop()));
  }

  /** What it has shown so far. */
  get events(): DevEvent[] {
    return this.program.stdout
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith('{"event"'))
      .map((line) => JSON.parse(line) as DevEvent);
  }

  /** All processes of it. */
  get pids(): number[] {
    return [this.program.pid, ...descendants(this.program.pid)];
  }

  /** The same, once each kind is there: a version takes runs before its runner is ready, and a process has no title of its own at first. */
  async allProcesses(): Promise<number[]> {
    return await this.program.until("nats-server, a supervisor and a runner are there", () => {
      const { pids } = this;
      const lines = pids.map(commandLine);
      return ["nats-server", "runlane supervisor", "runlane runner"].every((kind) => lines.some((line) => line.includes(kind))) && pids;
    });
  }

  /** Supervisors among them: one for each version that has something to do. */
  get supervisors(): number[] {
    return this.pids.filter((pid) => commandLine(pid).includes("runlane supervisor"));
  }

  /** Waits for an event that comes after the first `after` ones. */
  async until(what: string, is: (event: DevEvent) => boolean, after = 0): Promise<DevEvent> {
    return await this.program.until(what, () => this.events.slice(after).find(is), 30_000);
  }

  /** Does something, and waits for the next version that takes new runs. */
  async nextVersion(act: () => void = () => {}): Promise<DevEvent> {
    const after = this.events.length;
    act();
    return await this.until("a new version takes new runs", ({ event }) => event === "version", after);
  }

  /** A client of the server that it has started. */
  client(): RunClient {
    const data = join(this.project.folder, ".runlane");
    const { address } = JSON.parse(readFileSync(join(data, "server.json"), "utf8")) as { address: string };
    return new RunClient({ address, workerAddress: address, secretKey: readFileSync(join(data, "secret-key"), "utf8").trim() });
  }
}
