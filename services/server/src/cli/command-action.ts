import type { Command } from "commander";
import type { CommandContext } from "./command-context.js";
import type { ExitCode } from "./exit-code.js";

/** The code of a command. Behind the context it gets the arguments of the command line, and all options, those of the commands above too. */
export type CommandCode = (context: CommandContext, ...given: never[]) => Promise<ExitCode>;

/** Makes the action of a command from what loads its code. */
export type CommandAction = (load: () => Promise<CommandCode>) => (...given: unknown[]) => Promise<void>;

/** Makes actions of commands. A command's code is loaded when the command is called, so that `runlane trigger` need not load a server. `ended` hears how it ended. */
export function commandAction(context: CommandContext, ended: (code: ExitCode) => void): CommandAction {
  return (load) =>
    async (...given) => {
      const command = given.at(-1) as Command;
      const code = await load();
      // Commander hands an action the arguments, the command's own options, and the command.
      ended(await code(context, ...([...given.slice(0, -2), command.optsWithGlobals()] as never[])));
    };
}
