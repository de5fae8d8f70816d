import { type Command, InvalidArgumentError, type Option } from "commander";
import type { CommandContext } from "./command-context.js";
import type { ExitCode } from "./exit-code.js";

/** Adds `runlane queues` and `runlane environment`: what decides when runs may start. `ended` hears how a command ended. */
export function addFlowCommands(program: Command, context: CommandContext, address: Option, ended: (code: ExitCode) => void): void {
  const queues = program.command("queues").description("look at queues, pause them, and override their limits; what is changed survives restarts");
  queues
    .command("list", { isDefault: true })
    .description("list queues, by name")
    .addOption(address)
    .action(async (_options, command: Command) => {
      const { listQueuesCommand } = await import("./queues-command.js");
      ended(await listQueuesCommand(context, command.optsWithGlobals()));
    });
  queues
    .command("pause")
    .description("let nothing more of a queue start; what executes goes on")
    .argument("<queue>", "its name, or its id")
    .addOption(address)
    .action(async (queue: string, _options, command: Command) => {
      const { pauseQueueCommand } = await import("./queues-command.js");
      ended(await pauseQueueCommand(context, queue, command.optsWithGlobals()));
    });
  queues
    .command("resume")
    .description("let a paused queue go on")
    .argument("<queue>", "its name, or its id")
    .addOption(address)
    .action(async (queue: string, _options, command: Command) => {
      const { resumeQueueCommand } = await import("./queues-command.js");
      ended(await resumeQueueCommand(context, queue, command.optsWithGlobals()));
    });
  queues
    .command("limit")
    .description("override how many runs of each concurrency key of a queue execute at once")
    .argument("<queue>", "its name, or its id")
    .argument("<n>", "0 to 100000", slots)
    .addOption(address)
    .action(async (queue: string, limit: number, _options, command: Command) => {
      const { limitQueueCommand } = await import("./queues-command.js");
      ended(await limitQueueCommand(context, queue, limit, command.optsWithGlobals()));
    });
  queues
    .command("reset")
    .description("give a queue back the limit that its code declares")
    .argument("<queue>", "its name, or its id")
    .addOption(address)
    .action(async (queue: string, _options, command: Command) => {
      const { resetQueueCommand } = await import("./queues-command.js");
      ended(await resetQueueCommand(context, queue, command.optsWithGlobals()));
    });

  const environment = program
    .command("environment")
    .description("look at the environment of the key, pause it, and limit it; what is changed survives restarts");
  environment
    .command("show", { isDefault: true })
    .description("show whether it is paused, its limit, and how many runs execute and wait")
    .addOption(address)
    .action(async (_options, command: Command) => {
      const { showEnvironmentCommand } = await import("./environment-command.js");
      ended(await showEnvironmentCommand(context, command.optsWithGlobals()));
    });
  for (const paused of [true, false]) {
    environment
      .command(paused ? "pause" : "resume")
      .description(paused ? "let nothing more start in it; what executes goes on" : "let it go on")
      .addOption(address)
      .action(async (_options, command: Command) => {
        const { pauseEnvironmentCommand } = await import("./environment-command.js");
        ended(await pauseEnvironmentCommand(context, paused, command.optsWithGlobals()));
      });
  }
  environment
    .command("limit")
    .description("say how many runs execute at once in it")
    .argument("<n>", "0 to 100000, or none")
    .option("--burst <factor>", "all queues together may have the limit times this, a single one never more than the limit; 1 to 100", factor)
    .addOption(address)
    .action(async (limit: string, _options, command: Command) => {
      const { limitEnvironmentCommand } = await import("./environment-command.js");
      ended(await limitEnvironmentCommand(context, limit, command.optsWithGlobals()));
    });
}

function slots(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 100_000) throw new InvalidArgumentError("It must be a whole number from 0 to 100000.");
  return value;
}

function factor(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 100)) throw new InvalidArgumentError("It must be a number from 1 to 100.");
  return value;
}
