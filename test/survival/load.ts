import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Program, repository } from "../support/program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import type { TestServer } from "../support/test-server.js";
import { TestWorker } from "../support/test-worker.js";
import { AppendedLines } from "./appended-lines.js";
import { Ledger } from "./ledger.js";
import { acknowledgementOf, entryOf } from "./lines.js";

/** What the client says at its end. */
export interface ClientReport {
  /** Triggers made. */
  triggered: number;
  /** Triggers that failed, the first few. */
  refused: string[];
}

/** A client that triggers at a steady rate, a worker that executes, and a ledger of what both write down. */
export class Load {
  readonly worker: TestWorker;
  readonly client: Program;
  readonly #ledger = new Ledger();
  readonly #acknowledgements: AppendedLines;
  readonly #executions: AppendedLines;

  /** Starts both on a server. */
  constructor(server: TestServer, perSecond: number) {
    const folder = temporaryFolder();
    const env = { ACKNOWLEDGEMENTS: join(folder, "acknowledgements"), EXECUTIONS: join(folder, "executions") };
    this.#acknowledgements = new AppendedLines(env.ACKNOWLEDGEMENTS);
    this.#executions = new AppendedLines(env.EXECUTIONS);
    this.worker = new TestWorker(server, "survival", { concurrency: 1_000, env });
    const script = join(repository, "test/survival/programs/steady-client.mjs");
    this.client = new Program(script, [env.ACKNOWLEDGEMENTS, String(perSecond)], { env: server.env });
    onTestFinished(() => this.client.kill());
  }

  /** What has been written down until now. */
  ledger(): Ledger {
    // Acknowledgements first: of what they promise, as much as possible has then been seen to happen.
    for (const line of this.#acknowledgements.read()) this.#ledger.acknowledged(acknowledgementOf(line));
    for (const line of this.#executions.read()) this.#ledger.executed(entryOf(line));
    return this.#ledger;
  }

  /** Waits until triggers are acknowledged and executed. */
  async begun(): Promise<void> {
    await this.client.until("triggers are acknowledged and executed", () => this.ledger().entries.some((entry) => entry.event === "end"));
  }

  /** Triggers nothing new, waits for all acknowledgements. */
  async endClient(): Promise<ClientReport> {
    this.client.signal("SIGTERM");
    const code = await this.client.ended;
    if (code !== 0) throw new Error(`the client ended with ${code}:\n${this.client.output}`);
    return JSON.parse(this.client.stdout);
  }

  /** Waits until the code of all acknowledged runs has ended: as long as there is progress, and `patience` milliseconds longer. The ledger says what is still open then. */
  async drained(patience: number): Promise<Ledger> {
    let open = Number.POSITIVE_INFINITY;
    let since = performance.now();
    for (;;) {
      const ledger = this.ledger();
      if (ledger.openRuns < open) since = performance.now();
      open = ledger.openRuns;
      if (open === 0 || performance.now() - since > patience) return ledger;
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  /** Stops the worker, in order: nothing runs any more. */
  async endWorker(): Promise<void> {
    await this.worker.program.stop();
  }
}
