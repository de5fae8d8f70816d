import type { Command, Option } from "commander";
import type { CommandAction } from "./command-action.js";
import { numberWithin, wholeNumber } from "./number-argument.js";

/** Adds `runlane queues` and `runlane environment`: what decides when runs may start. */
export function addFlowCommands(program: Command, address: Option, action: CommandAction): void {
  const queues = program.command("queues").description("look at queues, pause them, and override their limits; what is changed survives restarts");
  queues
    .command("list", { isDefault: true })
    .description("list queues, by name")
    .addOption(address)
    .action(action(async () => (await import("./queues-command.js")).listQueuesCommand));
  queues
    .command("pause")
    .description("let nothing more of a queue start; what executes goes on")
    .argument("<queue>", "its name, or its id")
    .addOption(address)
    .action(action(async () => (await import("./queues-command.js")).pauseQueueCommand));
  queues
    .command("resume")
    .description("let a paused queue go on")
    .argument("<queue>", "its name, or its id")
    .addOption(address)
    .action(action(async () => (await import("./queues-command.js")).resumeQueueCommand));
  queues
    .command("limit")
    .description("override how many runs of each concurrency key of a queue execute at once")
    .argument("<queue>", "its name, or its id")
    .argument("<n>", "0 to 100000", wholeNumber(0, 100_000))
    .addOption(address)
    .action(action(async () => (await import("./queues-command.js")).limitQueueCommand));
  queues
    .command("reset")
    .description("give a queue back the limit that its code declares")
    .argument("<queue>", "its name, or its id")
    .addOption(address)
    .action(action(async () => (await import("./queues-command.js")).resetQueueCommand));

  const environment = program
    .command("environment")
    .description("look at the environment of the key, pause it, and limit it; what is changed survives restarts");
  environment
    .command("show", { isDefault: true })
    .description("show whether it is paused, its limit, and how many runs execute and wait")
    .addOption(address)
    .action(action(async () => (await import("./environment-command.js")).showEnvironmentCommand));
  environment
    .command("pause")
    .description("let nothing more start in it; what executes goes on")
    .addOption(address)
    .action(action(async () => (await import("./environment-command.js")).pauseEnvironmentCommand));
  environment
    .command("resume")
    .description("let it go on")
    .addOption(address)
    .action(action(async () => (await import("./environment-command.js")).resumeEnvironmentCommand));
  environment
    .command("limit")
    .description("say how many runs execute at once in it")
    .argument("<n>", "0 to 100000, or none")
    .option("--burst <factor>", "all queues together may have the limit times this, a single one never more than the limit; 1 to 100", numberWithin(1, 100))
    .addOption(address)
    .action(action(async () => (await import("./environment-command.js")).limitEnvironmentCommand));
}
