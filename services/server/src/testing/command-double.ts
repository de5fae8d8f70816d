import type { ServiceImpl } from "@connectrpc/connect";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { PayloadService } from "@runlane/sdk/gen/runlane/v1/payload_service_pb.js";
import { QueueService } from "@runlane/sdk/gen/runlane/v1/queue_service_pb.js";
import { RunService } from "@runlane/sdk/gen/runlane/v1/run_service_pb.js";
import { TaskService } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import { TokenService } from "@runlane/sdk/gen/runlane/v1/token_service_pb.js";
import { VersionService } from "@runlane/sdk/gen/runlane/v1/version_service_pb.js";
import { StoredPayloads } from "@runlane/sdk/internal";
import type { CommandContext } from "../cli/command-context.js";
import { runCommand } from "../cli/program.js";

/** How a command ended. */
export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
  /** The address that it wanted to speak to; undefined if none was given. */
  address: string | undefined;
  /** Whether it left a connection open. */
  leftOpen: boolean;
}

/** Runs the command against services that answer as told. */
export async function runlane(
  args: string[],
  service: Partial<ServiceImpl<typeof RunService>> = {},
  stdin = "",
  tasks: Partial<ServiceImpl<typeof TaskService>> = {},
  versions: Partial<ServiceImpl<typeof VersionService>> = {},
  queues: Partial<ServiceImpl<typeof QueueService>> = {},
): Promise<CommandResult> {
  const out: string[] = [];
  const err: string[] = [];
  const result = { address: undefined as string | undefined, leftOpen: false };
  const stored = new Map<string, Uint8Array>();
  const payloads: Partial<ServiceImpl<typeof PayloadService>> = {
    async putPayload(requests) {
      const chunks: Uint8Array[] = [];
      for await (const { chunk } of requests) chunks.push(chunk);
      const reference = `pay_${stored.size + 1}`;
      stored.set(reference, Buffer.concat(chunks));
      return { reference };
    },
    async *getPayload({ reference }) {
      yield { chunk: stored.get(reference) ?? new Uint8Array() };
    },
  };
  const transport = createRouterTransport(({ service: add }) => {
    add(RunService, service);
    add(PayloadService, payloads);
    add(TaskService, tasks);
    add(VersionService, versions);
    add(QueueService, queues);
  });
  const context: CommandContext = {
    terminal: { result: (text) => void out.push(text), note: (text) => void err.push(text) },
    readStdin: async () => stdin,
    async connect(address) {
      result.address = address;
      result.leftOpen = true;
      return {
        runs: createClient(RunService, transport),
        tasks: createClient(TaskService, transport),
        versions: createClient(VersionService, transport),
        queues: createClient(QueueService, transport),
        tokens: createClient(TokenService, transport),
        payloads: new StoredPayloads(transport),
        close() {
          result.leftOpen = false;
        },
      };
    },
  };
  const code = await runCommand(args, context);
  return { code, stdout: out.join("\n"), stderr: err.join("\n"), ...result };
}
