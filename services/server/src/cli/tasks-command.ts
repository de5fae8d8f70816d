import type { Task } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import type { ClientOptions, CommandContext, ServerConnection } from "./command-context.js";
import { connected } from "./connected.js";
import type { ExitCode } from "./exit-code.js";
import { table } from "./table.js";

/** The most that a page may hold. */
const pageSize = 1_000;

/** `runlane tasks`: the tasks that workers have declared, by id. */
export async function tasksCommand(context: CommandContext, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const tasks = await listTasks(server);
    if (options.json) context.terminal.result(JSON.stringify(tasks.map(taskToJson)));
    else if (tasks.length === 0) context.terminal.note("No worker has declared a task so far. runlane dev and runlane worker start one.");
    else context.terminal.result(taskTable(tasks));
  });
}

/** All tasks, page by page. `onHeader` hears the headers of each answer. */
export async function listTasks(server: ServerConnection, onHeader?: (header: Headers) => void): Promise<Task[]> {
  const all: Task[] = [];
  for (let pageToken = ""; ; ) {
    const { tasks, nextPageToken } = await server.tasks.listTasks({ pageSize, pageToken }, { onHeader });
    all.push(...tasks);
    if (nextPageToken === "") return all;
    pageToken = nextPageToken;
  }
}

/** A task for programs. */
function taskToJson({ id, description, filePath, queue, concurrencyLimit, maxAttempts, version, workerCount, ...rest }: Task): Record<string, unknown> {
  const { machine, maxDurationSeconds, payloadSchema } = rest;
  return {
    id,
    description,
    filePath,
    queue,
    concurrencyLimit,
    maxAttempts,
    version,
    workerCount,
    ...(machine ? { machine } : {}),
    ...(maxDurationSeconds ? { maxDurationSeconds } : {}),
    ...(payloadSchema ? { payloadSchema: schemaOf(payloadSchema) } : {}),
  };
}

/** Servers did not always refuse what is no JSON; it is shown as the text that it is. */
function schemaOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Tasks as a table for people. */
function taskTable(tasks: readonly Task[]): string {
  const head = ["TASK", "QUEUE", "LIMIT", "ATTEMPTS", "VERSION", "WORKERS"];
  const rows = tasks.map(({ id, queue, concurrencyLimit, maxAttempts, version, workerCount }) => [
    id,
    queue,
    concurrencyLimit === undefined ? "-" : String(concurrencyLimit),
    String(maxAttempts),
    version,
    String(workerCount),
  ]);
  return table(head, rows);
}
