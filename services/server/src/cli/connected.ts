import type { ClientOptions, CommandContext, ServerConnection } from "./command-context.js";
import { type ExitCode, exitCode } from "./exit-code.js";

/** Connects, works, and closes the connection, however the work ends. Work that says nothing of an exit code is done. */
export async function connected(
  context: CommandContext,
  options: ClientOptions,
  work: (server: ServerConnection) => Promise<ExitCode> | Promise<void>,
): Promise<ExitCode> {
  const server = await context.connect(options.address);
  try {
    return (await work(server)) ?? exitCode.ok;
  } finally {
    server.close();
  }
}
