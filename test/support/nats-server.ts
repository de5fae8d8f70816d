import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { alive, descendants } from "./processes.js";
import { Program, repository } from "./program.js";
import type { OnCleanUp } from "./test-server.js";

let binary: string | undefined;

/** A nats-server that several processes share, as an operator would run it: on the files of `runlane nats-config`. */
export class NatsServer {
  readonly program: Program;
  /** Where it listens; the same for all its lives. */
  readonly port: number;

  private constructor(program: Program, port: number) {
    this.program = program;
    this.port = port;
  }

  /** Starts one on a configuration that takes any free port, or on `port`, and waits until it listens. It writes its port into `folder`, by default that of the configuration. */
  static async start(config: string, onCleanUp: OnCleanUp, port?: number, folder = dirname(config)): Promise<NatsServer> {
    binary ??= execFileSync(process.execPath, [join(repository, "scripts/nats-server.mjs")], { encoding: "utf8" }).trim();
    const script = join(repository, "test/support/programs/nats-server.mjs");
    const program = new Program(script, [binary, "-c", config, ...(port === undefined ? [] : ["-p", String(port)])]);
    onCleanUp(async () => void (await program.stop()));
    return new NatsServer(program, await program.until("nats-server has written down where it listens", () => portIn(folder)));
  }

  /** Process id of nats-server itself; the program merely keeps it. */
  get pid(): number {
    const [pid] = descendants(this.program.pid);
    if (pid === undefined) throw new Error("nats-server does not run");
    return pid;
  }

  /** `nats://127.0.0.1:<port>` */
  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }
}

/** It writes its port into a file that is named after its process; one that was killed leaves it behind. */
function portIn(folder: string): number | undefined {
  for (const name of readdirSync(folder)) {
    const [, pid] = /^nats-server_(\d+)\.ports$/.exec(name) ?? [];
    if (pid === undefined || !alive(Number(pid))) continue;
    const { nats } = JSON.parse(readFileSync(join(folder, name), "utf8")) as { nats: string[] };
    return Number(new URL(nats[0] ?? "").port);
  }
  return undefined;
}
