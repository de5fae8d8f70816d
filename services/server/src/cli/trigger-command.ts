import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { IdempotencyScope, type Run, RunState, type TriggerItem, TriggerItemSchema, type TriggerOptionsSchema } from "@runlane/sdk/gen/runlane/v1/run_pb.js";
import { errorOfStatus, hashedKey, isLarge, maxStoredPayloadBytes, secondsOption, withStoredValues } from "@runlane/sdk/internal";
import type { ClientOptions, CommandContext, ServerConnection } from "./command-context.js";
import { connected } from "./connected.js";
import { CommandFailure, type ExitCode, exitCode, readArgument, usageFailure } from "./exit-code.js";
import { failureOfCall } from "./failure-of.js";
import { followRun } from "./follow-run.js";
import { delayOf } from "./repeat-run-command.js";
import { payloadText, progressLine, runToJson } from "./run-view.js";

/** Options of `runlane trigger`. */
export interface TriggerCommandOptions extends ClientOptions {
  wait?: boolean;
  maxAttempts?: number;
  queue?: string;
  delay?: string;
  ttl?: string;
  idempotencyKey?: string;
  concurrencyKey?: string;
  priority?: number;
  tag?: string[];
  test?: boolean;
}

/** `runlane trigger <task> [json]`: triggers a task; with --wait shows its run until it is final, and prints what it returned. */
export async function triggerCommand(context: CommandContext, task: string, json: string | undefined, options: TriggerCommandOptions): Promise<ExitCode> {
  const item = create(TriggerItemSchema, {
    taskId: task,
    payload: json === undefined ? undefined : { data: Buffer.from(await payloadOf(context, json)) },
    options: triggerOptions(options),
  });
  const { payload } = item;
  const bytes = payload?.data.length ?? 0;
  if (bytes > maxStoredPayloadBytes) throw usageFailure(`the payload has ${bytes} bytes as JSON, and at most ${maxStoredPayloadBytes} are allowed`);
  return await connected(context, options, async (server) => {
    if (isLarge(payload)) item.payload = await server.payloads.put(payload);
    return options.wait ? await triggerAndWait(context, server, item, options) : await triggerOnly(context, server, item, options);
  });
}

function triggerOptions(options: TriggerCommandOptions): MessageInitShape<typeof TriggerOptionsSchema> {
  const { maxAttempts, queue, delay, ttl, idempotencyKey, concurrencyKey, priority, tag, test } = options;
  return {
    maxAttempts,
    queue,
    delay: delay === undefined ? undefined : delayOf("--delay", delay),
    ttlSeconds: ttl === undefined ? undefined : ttlOf(ttl),
    idempotencyKey: idempotencyKey ? { key: hashedKey([idempotencyKey]), displayKey: idempotencyKey, scope: IdempotencyScope.GLOBAL } : undefined,
    concurrencyKey,
    prioritySeconds: priority,
    tags: tag,
    test,
  };
}

function ttlOf(text: string): number {
  return readArgument(() => secondsOption("--ttl", /^\d+$/.test(text) ? Number(text) : text));
}

async function triggerOnly({ terminal }: CommandContext, server: ServerConnection, item: TriggerItem, options: TriggerCommandOptions): Promise<ExitCode> {
  const { outcomes } = await server.runs.triggerTasks({ requestId: randomUUID(), items: [item] });
  const outcome = outcomes[0]?.outcome;
  if (outcome?.case === "error") throw failureOfCall(errorOfStatus(outcome.value));
  const runId = outcome?.value ?? "";
  terminal.result(options.json ? JSON.stringify({ id: runId }) : runId);
  return exitCode.ok;
}

async function triggerAndWait({ terminal }: CommandContext, server: ServerConnection, item: TriggerItem, options: TriggerCommandOptions): Promise<ExitCode> {
  let last: Run | undefined;
  for await (const run of followRun(server.runs, randomUUID(), item)) {
    if (!options.json) {
      if (last === undefined) terminal.note(run.id);
      terminal.note(progressLine(run));
    }
    last = run;
  }
  if (last === undefined) throw new CommandFailure(exitCode.defect, "the server ended the stream without a word about the run");
  last = await withStoredValues(last, server.payloads);
  if (options.json) terminal.result(JSON.stringify(runToJson(last)));
  else if (last.state === RunState.COMPLETED && payloadText(last.output) !== "") terminal.result(payloadText(last.output));
  return last.state === RunState.COMPLETED ? exitCode.ok : exitCode.refused;
}

/** The payload as it is sent: checked here, because a shell's quoting is what goes wrong most. */
async function payloadOf(context: CommandContext, given: string): Promise<string> {
  const text = given === "-" ? await context.readStdin() : given;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (cause) {
    throw usageFailure(`the payload is not JSON: ${(cause as Error).message}\nMind the shell's quotes: runlane trigger hello '{"name":"you"}'`);
  }
}
