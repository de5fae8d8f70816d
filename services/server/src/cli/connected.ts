import type { ClientOptions, CommandContext, ServerConnection } from "./command-context.js";
import { type ExitCode, exitCode } from "./exit-code.js";

/** Connects, works, and closes the connection, however the work ends. */
export async function connected(context: CommandContext, options: ClientOptions, work: (server: ServerConnection) => Promise<void>): Promise<ExitCode> {
  const server = await context.connect(options.address);
  try {
    await work(server);
    return exitCode.ok;
  } finally {
    server.close();
  }
}
