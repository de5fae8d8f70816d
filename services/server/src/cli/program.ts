import { Command, CommanderError, Option } from "commander";
import { commandAction } from "./command-action.js";
import type { CommandContext } from "./command-context.js";
import { commandVersion } from "./command-version.js";
import { type ExitCode, exitCode, exitCodeHelp } from "./exit-code.js";
import { addFlowCommands } from "./flow-program.js";
import { positiveNumber, wholeNumber } from "./number-argument.js";
import { addTokenCommands } from "./token-program.js";

/**
 * Runs the `runlane` command. Never throws: failures are words on standard error, or a JSON object with --json.
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
    const { failureOf } = await import("./failure-of.js");
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
    .version(commandVersion(), "-V, --version", "print the version")
    .option("--json", "results and errors as JSON")
    .exitOverride()
    .showHelpAfterError("(--help says more)")
    .configureOutput({ writeOut: (text) => context.terminal.result(text.trimEnd()), writeErr: (text) => context.terminal.note(text.trimEnd()) })
    .addHelpText("after", exitCodeHelp);
  const address = new Option(
    "--address <url>",
    "the server, http(s)://host[:port]; default: RUNLANE_ADDRESS, else the nearest data folder's, else http://127.0.0.1:7400",
  );
  const dataFolder = new Option("--data <folder>", "data folder; default: the nearest .runlane upward, else ./.runlane");
  const natsServer = new Option("--nats-server <path>", "the nats-server program; default: RUNLANE_NATS_SERVER, else one on PATH");
  const configFile = new Option("--config <file>", "config file; default: the nearest runlane.config.ts or trigger.config.ts upward");
  const concurrency = new Option("--concurrency <n>", "attempts at once; default: the config's").argParser(wholeNumber(1, 100_000));
  const action = commandAction(context, ended);

  program
    .command("server")
    .description("run Runlane: all services in this process, and a nats-server; or some of the services, with a nats-server that runs elsewhere")
    .addOption(dataFolder)
    .option("--listen <host:port>", "where to listen for gRPC; default: RUNLANE_LISTEN, else 127.0.0.1:7400. Port 0 takes any free one")
    .option(
      "--http-listen <host:port>",
      "where to listen for HTTP; default: RUNLANE_HTTP_LISTEN, else the port after that of gRPC (7401), or any free one if that takes any",
    )
    .option("--tls-cert <file>", "certificate in PEM, with those that lead to its root: both listeners then serve TLS. Needs --tls-key")
    .option("--tls-key <file>", "private key of the certificate, in PEM")
    .option("--cors-origin <origin>", "a web page's origin that may call by HTTP, or *; repeat it for several. Pages of localhost always may", collect)
    .option(
      "--public-url <url>",
      "the address by which the world reaches HTTP, for the callback URLs of tokens; default: RUNLANE_PUBLIC_URL, else that of HTTP on this machine",
    )
    .option("--services <names>", "run only these: scheduler, queue, executor, with commas between; needs --nats")
    .option("--nats <urls>", "a nats-server that runs already, nats://host:port; several of a cluster with commas between")
    .option(
      "--nats-creds <file>",
      "credentials of a service at that nats-server, as runlane nats-config writes them, or queue=FILE for a .creds file; repeat it for each service",
      collect,
    )
    .option("--nats-replicas <n>", "how many servers of a NATS cluster keep each record: 1, 3 or 5; default 1")
    .addOption(
      new Option("--sync <mode>", "always: what is acknowledged is on disk. lazy: NATS writes to disk every two minutes; power loss may lose runs")
        .choices(["always", "lazy"])
        .default("always"),
    )
    .option(
      "--version-patience <seconds>",
      "how long a started run waits for a worker of its version before it goes on with the current one; default: 300",
      wholeNumber(0, 2_592_000),
    )
    .option("--keep-log <days>", "how long records of the log are kept that nothing needs any more; default: 0", wholeNumber(0, 36_500))
    .option("--snapshot-every <events>", "events in the log after which a snapshot is written; default: 500000", wholeNumber(100, 1_000_000_000))
    .option("--store-limit <size>", "what nats-server may store, for instance 20GB; default: three quarters of the free disk")
    .addOption(natsServer)
    .action(action(async () => (await import("./server-command.js")).serverCommand));

  program
    .command("dev")
    .description("develop: a server if there is none, a worker, and a new version of it after each save; shows every run")
    .argument("[dirs...]", "folders with task files; default: those that the config names")
    .addOption(concurrency)
    .addOption(configFile)
    .option(
      "--env-file <file>",
      "variables for the tasks; default: .env.development.local, .env.local, .env.development, .env and dev.vars of the project, as far as they are there",
    )
    .addOption(dataFolder)
    .option("--listen <host:port>", "where a server that is started listens; default: RUNLANE_LISTEN, else 127.0.0.1:7400, or any free port if that is taken")
    .addOption(natsServer)
    .addOption(
      new Option("--address <url>", "a server that runs already, http(s)://host[:port]; default: RUNLANE_ADDRESS, else the data folder's, else one is started"),
    )
    .action(action(async () => (await import("./dev-command.js")).devCommand));

  program
    .command("doctor")
    .description("look at everything that Runlane needs here, and say what to do where something is amiss")
    .argument("[dirs...]", "folders with task files; default: those that the config names")
    .addOption(configFile)
    .addOption(dataFolder)
    .addOption(natsServer)
    .addOption(address)
    .addHelpText("after", "\nExits with 1 if something fails, with 0 otherwise.")
    .action(action(async () => (await import("./doctor-command.js")).doctorCommand));

  program
    .command("nats-config")
    .description("write the configuration of a nats-server for services in several processes, and a file of credentials for each of them")
    .option("--data <folder>", "data folder, where passwords and the secret key are minted once; default: the nearest .runlane upward, else ./.runlane")
    .option("--out <folder>", "where to write; default: nats-external in the data folder")
    .option("--listen <host:port>", "where that nats-server listens; port 0 takes any free one", "127.0.0.1:4222")
    .option("--store <folder>", "where it stores, as it sees the path itself; default: jetstream in the folder of --out")
    .option("--monitor <host:port>", "where it answers /healthz; default: nowhere")
    .action(action(async () => (await import("./nats-config-command.js")).natsConfigCommand));

  program
    .command("worker")
    .description("run a worker: executes the tasks of the files in the given folders")
    .argument("[dirs...]", "folders with task files; default: those that the config names")
    .addOption(concurrency)
    .option("--machine <preset>", "offer tasks with a machine what this preset has, for instance medium-2x; default: this host")
    .option("--cpus <n>", "offer them this many cores; default: the host's", positiveNumber)
    .option("--memory <size>", "offer them this much memory, for instance 4GiB; default: the host's")
    .addOption(configFile)
    .option("--env-file <file>", "variables for the worker and its tasks, those of the environment first; repeat it for several, the first one counts", collect)
    .option("--address <url>", "the server, http(s)://host[:port]; default: RUNLANE_WORKER_ADDRESS, else as for the other commands")
    .action(action(async () => (await import("./worker-command.js")).workerCommand));

  program
    .command("tasks")
    .description("list the tasks that workers have declared")
    .addOption(address)
    .action(action(async () => (await import("./tasks-command.js")).tasksCommand));

  program
    .command("trigger")
    .description("trigger a task; prints the run's id, or with --wait what it returned")
    .argument("<task>", "id of the task")
    .argument("[json]", "payload; - reads it from standard input")
    .option("--wait", "show the run until it is final")
    .option("--max-attempts <n>", "attempts in total; default: the task's", wholeNumber(1, 250))
    .option("--queue <name>", "queue; default: the task's")
    .option("--delay <time>", "when it enters its queue: a time from now like 1h30m, or a time in ISO 8601; default: at once")
    .option("--ttl <time>", "how long it may be in its queue before it starts, for instance 10m; default: the task's")
    .option("--idempotency-key <key>", "one run of the task for each key: prints the one that there is")
    .option("--concurrency-key <key>", "gives it a copy of the queue, with the queue's whole limit")
    .option("--priority <seconds>", "by how much it counts as older in its queue", Number)
    .option("--tag <tag>", "a tag of the run; repeat it for several", collect)
    .option("--test", "mark it as a test")
    .addOption(address)
    .action(action(async () => (await import("./trigger-command.js")).triggerCommand));

  const versions = program.command("versions").description("look at the versions of the tasks' code, and say which one new runs start on");
  versions
    .command("list", { isDefault: true })
    .description("list versions, the newest first")
    .option("--limit <n>", "how many; default: 25", wholeNumber(1, 1_000))
    .addOption(address)
    .action(action(async () => (await import("./versions-command.js")).listVersionsCommand));
  versions
    .command("promote")
    .description("let new runs start on a version, an older one too; runs that have started stay with theirs")
    .argument("<version>", "for instance 20261123.1")
    .addOption(address)
    .action(action(async () => (await import("./versions-command.js")).promoteVersionCommand));
  versions
    .command("rollback")
    .description("promote the version before the current one")
    .addOption(address)
    .action(action(async () => (await import("./versions-command.js")).rollbackVersionCommand));

  addTokenCommands(program, address, action);

  const runs = program.command("runs").description("look at runs, cancel and repeat them, ask why they wait");
  runs
    .command("get")
    .description("show a run")
    .argument("<id>", "id of the run")
    .addOption(address)
    .action(action(async () => (await import("./runs-command.js")).getRunCommand));
  runs
    .command("cancel")
    .description("cancel a run, and the runs that it triggered")
    .argument("<id>", "id of the run")
    .option("--reason <text>", "why, for people")
    .addOption(address)
    .action(action(async () => (await import("./runs-command.js")).cancelRunCommand));
  runs
    .command("why")
    .description("say why a run does not execute, where it stands, and what would release it")
    .argument("<id>", "id of the run")
    .addOption(address)
    .action(action(async () => (await import("./why-command.js")).whyCommand));
  runs
    .command("replay")
    .description("trigger a run again, whatever became of it, on the current version; prints the id of the new run")
    .argument("<id>", "id of the run")
    .addOption(address)
    .action(action(async () => (await import("./repeat-run-command.js")).replayRunCommand));
  runs
    .command("reschedule")
    .description("give a delayed run another time")
    .argument("<id>", "id of the run")
    .argument("<delay>", "a time from now like 1h30m, or a time in ISO 8601")
    .addOption(address)
    .action(action(async () => (await import("./repeat-run-command.js")).rescheduleRunCommand));
  const filters = (command: Command) =>
    command
      .option("--status <state...>", "in one of these states, for instance FAILED")
      .option("--task <id...>", "of one of these tasks")
      .option("--queue <name...>", "in one of these queues, or from there")
      .option("--code-version <version...>", "executed by one of these versions, for instance 20261123.1")
      .option("--tag <tag...>", "with one of these tags")
      .option("--batch <id...>", "of one of these batches")
      .option("--test", "only tests")
      .option("--parent <id>", "triggered by the code of this run")
      .option("--root <id>", "descended from this run")
      .option("--period <time>", "triggered within this time: 30m, 7d")
      .option("--from <time>", "triggered at this time or later, ISO 8601")
      .option("--to <time>", "triggered at this time or earlier, ISO 8601")
      .addOption(address);
  filters(runs.command("list"))
    .description("list runs, newest first")
    .option("--limit <n>", "how many; default: 25", wholeNumber(1, 10_000))
    .option("--after <id>", "runs older than this one")
    .option("--before <id>", "runs newer than this one")
    .action(action(async () => (await import("./list-runs-command.js")).listRunsCommand));
  filters(runs.command("watch"))
    .description("show runs whenever they change: with ids until all are final, else until it is stopped")
    .argument("[ids...]", "ids of runs; default: all that fulfil the options")
    .action(action(async () => (await import("./watch-runs-command.js")).watchRunsCommand));
  addFlowCommands(program, address, action);
  return program;
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
