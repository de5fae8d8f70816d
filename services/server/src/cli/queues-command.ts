import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LimitBound, Queue, UpdateQueueRequestSchema } from "@runlane/sdk/gen/runlane/v1/queue_service_pb.js";
import { QueueType } from "@runlane/sdk/gen/runlane/v1/queue_service_pb.js";
import type { ClientOptions, CommandContext } from "./command-context.js";
import { connected } from "./connected.js";
import type { ExitCode } from "./exit-code.js";
import { table } from "./table.js";

/** Queues asked for at once. */
const pageSize = 1_000;

/** `runlane queues list`: all queues, by name. */
export async function listQueuesCommand(context: CommandContext, options: ClientOptions): Promise<ExitCode> {
  const { terminal } = context;
  return await connected(context, options, async (server) => {
    const queues: Queue[] = [];
    let pageToken = "";
    do {
      const page = await server.queues.listQueues({ pageSize, pageToken });
      queues.push(...page.queues);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    if (options.json) terminal.result(JSON.stringify(queues.map(queueToJson)));
    else if (queues.length === 0) terminal.note("No worker has declared a task so far. runlane dev and runlane worker start one.");
    else terminal.result(queueTable(queues));
  });
}

/** `runlane queues pause <queue>`: lets nothing more of it start. */
export async function pauseQueueCommand(context: CommandContext, queue: string, options: ClientOptions): Promise<ExitCode> {
  return await update(context, { queue, paused: true }, options, `Queue ${queue} is paused: what executes goes on, nothing more starts.`);
}

/** `runlane queues resume <queue>`: lets it go on. */
export async function resumeQueueCommand(context: CommandContext, queue: string, options: ClientOptions): Promise<ExitCode> {
  return await update(context, { queue, paused: false }, options, `Queue ${queue} goes on.`);
}

/** `runlane queues limit <queue> <n>`: overrides the limit that its code declares. */
export async function limitQueueCommand(context: CommandContext, queue: string, limit: number, options: ClientOptions): Promise<ExitCode> {
  const change = { change: { case: "override", value: limit } } as const;
  return await update(
    context,
    { queue, concurrencyLimit: change },
    options,
    `At most ${limit} runs of each concurrency key of queue ${queue} execute at once.`,
  );
}

/** `runlane queues reset <queue>`: gives it back the limit that its code declares. */
export async function resetQueueCommand(context: CommandContext, queue: string, options: ClientOptions): Promise<ExitCode> {
  const change = { change: { case: "reset", value: true } } as const;
  return await update(context, { queue, concurrencyLimit: change }, options, `Queue ${queue} has the limit that its code declares.`);
}

async function update(
  context: CommandContext,
  request: MessageInitShape<typeof UpdateQueueRequestSchema>,
  options: ClientOptions,
  words: string,
): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const { queue } = await server.queues.updateQueue(request);
    context.terminal.result(options.json ? JSON.stringify(queue && queueToJson(queue)) : words);
  });
}

function queueTable(queues: readonly Queue[]): string {
  const rows = queues.map(({ name, running, queued, concurrencyLimit, totalLimit, paused, keyCount }) => [
    name,
    String(running),
    String(queued),
    limitText(concurrencyLimit),
    totalLimit === undefined ? "-" : String(totalLimit),
    String(keyCount),
    paused ? "paused" : "",
  ]);
  return table(["QUEUE", "RUNNING", "QUEUED", "LIMIT", "TOTAL", "KEYS", ""], rows);
}

/** "5", or "5 (10)" for one that is overridden and declared otherwise. */
function limitText(bound: LimitBound | undefined): string {
  const current = bound?.current === undefined ? "-" : String(bound.current);
  return bound?.override === undefined ? current : `${current} (${bound.base ?? "-"})`;
}

function queueToJson(queue: Queue): Record<string, unknown> {
  const { id, name, type, running, queued, paused, concurrencyLimit, totalLimit, keyCount } = queue;
  return {
    id,
    name,
    type: QueueType[type],
    running: Number(running),
    queued: Number(queued),
    paused,
    concurrencyLimit: concurrencyLimit?.current,
    declaredLimit: concurrencyLimit?.base,
    overriddenLimit: concurrencyLimit?.override,
    totalLimit,
    keyCount: Number(keyCount),
  };
}
