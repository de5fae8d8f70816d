import { Program, type ProgramOptions, runlaneCommand } from "./program.js";

/** How a command ended. */
export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `runlane ...args` to its end. */
export async function runlane(args: string[], options: ProgramOptions = {}): Promise<CommandResult> {
  const program = new Program(runlaneCommand, args, options);
  const code = await program.ended;
  return { code, stdout: program.stdout, stderr: program.stderr };
}
