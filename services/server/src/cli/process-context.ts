import { text } from "node:stream/consumers";
import type { CommandContext } from "./command-context.js";

/** A command is for people who wait: it gives up sooner than a program would. */
const timeoutInMs = 5_000;

/** What commands work with when they are called from a shell. */
export function processContext(): CommandContext {
  // Whoever reads the output may stop reading: `runlane … | head -1`.
  process.stdout.on("error", () => {});
  return {
    terminal: {
      result: (line) => void process.stdout.write(`${line}\n`),
      note: (line) => void process.stderr.write(`${line}\n`),
    },
    readStdin: () => text(process.stdin),
    connect: async (address) => {
      const { createRunlaneClient } = await import("@runlane/sdk/internal");
      return createRunlaneClient({ baseURL: address, requestOptions: { timeoutInMs } });
    },
  };
}
