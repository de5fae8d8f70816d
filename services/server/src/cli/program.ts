import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { CommandContext } from "./command-context.js";
import { type ExitCode, exitCode, exitCodeHelp, failureOf } from "./exit-code.js";

/**
 * Runs the `runlane` command. Never throws: failures are words on standard error, or a JSON object with --json.
 *
 * Each command's code is loaded when it is called: `runlane trigger` need not load a server.
 *
 * @param args what stands behind `runlane` on the command line
 * @returns the exit code
 */
export async function runCommand(args: readonly string[], context: CommandContext): Promise<ExitCode> {
  let result: ExitCode = exitCode.ok;
  const program = commandLine(context, (code) => {
    result = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return result;
  } catch (error) {
    // Commander has written its words already. Help and version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    const failure = failureOf(error);
    const json = args.includes("--json");
    context.terminal.note(
      json ? JSON.stringify({ error: { exitCode: failure.exitCode, ...failure.details, message: failure.message } }) : `runlane: ${failure.message}`,
    );
    return failure.exitCode;
  }
}

function commandLine(context: CommandContext, ended: (code: ExitCode) => void): Command {
  const program = new Command("runlane")
    .description("Durable background tasks.")
    .version(version(), "-V, --version", "print the version")
    .option("--json", "results and errors as JSON")
    .exitOverride()
    .showHelpAfterError("(--help says more)")
    .configureOutput({ writeOut: (text) => context.terminal.result(text.trimEnd()), writeErr: (text) => context.terminal.note(text.trimEnd()) })
    .addHelpText("after", exitCodeHelp);
  const address = new Option(
    "--address <url>",
    "the server, http(s)://host[:port]; default: RUNLANE_ADDRESS, else the nearest data folder's, else http://127.0.0.1:7400",
  );

  program
    .command("server")
    .description("run Runlane: all services in this process, and a nats-server")
    .option("--data <folder>", "data folder; default: the nearest .runlane upward, else ./.runlane")
    .option("--listen <host:port>", "where to listen for gRPC; default: RUNLANE_LISTEN, else 127.0.0.1:7400. Port 0 takes any free one")
    .addOption(
      new Option("--sync <mode>", "always: what is acknowledged is on disk. lazy: NATS writes to disk every two minutes; power loss may lose runs")
        .choices(["always", "lazy"])
        .default("always"),
    )
    .option("--nats-server <path>", "the nats-server program; default: RUNLANE_NATS_SERVER, else one on PATH")
    .action(async (_options, command: Command) => {
      const { serverCommand } = await import("./server-command.js");
      ended(await serverCommand(context, command.optsWithGlobals()));
    });

  program
    .command("worker")
    .description("run a worker: executes the tasks of the files in the given folders")
    .argument("[dirs...]", "folders with task files; default: those that the config names")
    .option("--concurrency <n>", "attempts at once; default: the config's", wholeNumber(1, 100_000))
    .option("--config <file>", "config file; default: the nearest runlane.config.ts or trigger.config.ts upward")
    .addOption(address)
    .action(async (dirs: string[], _options, command: Command) => {
      const { workerCommand } = await import("./worker-command.js");
      ended(await workerCommand(context, dirs, command.optsWithGlobals()));
    });

  program
    .command("trigger")
    .description("trigger a task; prints the run's id, or with --wait what it returned")
    .argument("<task>", "id of the task")
    .argument("[json]", "payload; - reads it from standard input")
    .option("--wait", "show the run until it is final")
    .option("--max-attempts <n>", "attempts in total; default: the task's", wholeNumber(1, 250))
    .option("--queue <name>", "queue; default: the task's")
    .addOption(address)
    .action(async (task: string, json: string | undefined, _options, command: Command) => {
      const { triggerCommand } = await import("./trigger-command.js");
      ended(await triggerCommand(context, task, json, command.optsWithGlobals()));
    });

  const runs = program.command("runs").description("look at runs, and cancel them");
  runs
    .command("get")
    .description("show a run")
    .argument("<id>", "id of the run")
    .addOption(address)
    .action(async (runId: string, _options, command: Command) => {
      const { getRunCommand } = await import("./runs-command.js");
      ended(await getRunCommand(context, runId, command.optsWithGlobals()));
    });
  runs
    .command("cancel")
    .description("cancel a run, and the runs that it triggered")
    .argument("<id>", "id of the run")
    .option("--reason <text>", "why, for people")
    .addOption(address)
    .action(async (runId: string, _options, command: Command) => {
      const { cancelRunCommand } = await import("./runs-command.js");
      ended(await cancelRunCommand(context, runId, command.optsWithGlobals()));
    });
  return program;
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

function version(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
