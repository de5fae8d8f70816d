import { type Command, Option } from "commander";
import type { CommandAction } from "./command-action.js";
import { wholeNumber } from "./number-argument.js";

/** Adds `runlane tokens`: what runs wait for until somebody completes it. */
export function addTokenCommands(program: Command, address: Option, action: CommandAction): void {
  const tokens = program.command("tokens").description("look at tokens, for which runs wait, and complete them");
  tokens
    .command("list", { isDefault: true })
    .description("list tokens, the newest first")
    .addOption(new Option("--state <state...>", "in one of these states").choices(["WAITING", "COMPLETED", "TIMED_OUT"]))
    .option("--tag <tag...>", "with one of these tags")
    .option("--limit <n>", "how many; default: 25", wholeNumber(1, 1_000))
    .addOption(address)
    .action(action(async () => (await import("./tokens-command.js")).listTokensCommand));
  tokens
    .command("get")
    .description("show a token, and its callback URL")
    .argument("<id>")
    .addOption(address)
    .action(action(async () => (await import("./tokens-command.js")).getTokenCommand));
  tokens
    .command("complete")
    .description("let everybody go on who waits for a token; one that has ended stays as it is")
    .argument("<id>")
    .argument("[json]", "what they get; - reads it from standard input")
    .addOption(address)
    .action(action(async () => (await import("./tokens-command.js")).completeTokenCommand));
}
