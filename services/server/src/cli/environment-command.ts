import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Environment, UpdateEnvironmentRequestSchema } from "@runlane/sdk/gen/runlane/v1/queue_service_pb.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { connected } from "./connected.js";
import { type ExitCode, usageFailure } from "./exit-code.js";
import { labelled } from "./table.js";

/** `runlane environment show`: whether the environment of the key is paused, and its limit. */
export async function showEnvironmentCommand(context: CommandContext, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const { environment } = await server.queues.getEnvironment({});
    show(context, options, environment);
  });
}

/** `runlane environment pause`: lets nothing more start. */
export async function pauseEnvironmentCommand(context: CommandContext, options: ClientOptions): Promise<ExitCode> {
  return await update(context, { paused: true }, options);
}

/** `runlane environment resume`: lets it go on. */
export async function resumeEnvironmentCommand(context: CommandContext, options: ClientOptions): Promise<ExitCode> {
  return await update(context, { paused: false }, options);
}

/** Options of `runlane environment limit`. */
export interface LimitEnvironmentOptions extends ClientOptions {
  burst?: number;
}

/** `runlane environment limit <n | none>`: says how many runs may execute at once. */
export async function limitEnvironmentCommand(context: CommandContext, limit: string, options: LimitEnvironmentOptions): Promise<ExitCode> {
  if (limit !== "none" && !/^\d{1,9}$/.test(limit)) throw usageFailure(`the limit is ${limit}, and must be a whole number from 0 to 100000, or none`);
  const change = limit === "none" ? ({ case: "reset", value: true } as const) : ({ case: "override", value: Number(limit) } as const);
  return await update(context, { concurrencyLimit: { change }, ...(options.burst === undefined ? {} : { burstFactor: options.burst }) }, options);
}

async function update(context: CommandContext, request: MessageInitShape<typeof UpdateEnvironmentRequestSchema>, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const { environment } = await server.queues.updateEnvironment(request);
    show(context, options, environment);
  });
}

function show({ terminal }: CommandContext, { json }: ClientOptions, environment: Environment | undefined): void {
  if (environment === undefined) return;
  const { name, paused, concurrencyLimit, burstFactor, running, queued } = environment;
  if (json) {
    terminal.result(JSON.stringify({ name, paused, concurrencyLimit, burstFactor, running: Number(running), queued: Number(queued) }));
    return;
  }
  const rows: [string, string][] = [
    ["environment", name],
    ["paused", paused ? "yes: what executes goes on, nothing more starts" : "no"],
    ["limit", concurrencyLimit === undefined ? "none" : limitText(concurrencyLimit, burstFactor)],
    ["running", String(running)],
    ["queued", String(queued)],
  ];
  terminal.result(labelled(rows, 13));
}

function limitText(limit: number, burst: number): string {
  return burst > 1 ? `${limit} runs of a queue, ${Math.floor(limit * burst)} of all together` : `${limit} runs`;
}
