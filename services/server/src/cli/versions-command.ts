import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Version } from "@runlane/sdk/gen/runlane/v1/version_service_pb.js";
import type { ClientOptions, CommandContext, ServerConnection } from "./command-context.js";
import { connected } from "./connected.js";
import { CommandFailure, type ExitCode, exitCode } from "./exit-code.js";
import { table } from "./table.js";

/** Options of `runlane versions list`. */
export interface ListVersionsOptions extends ClientOptions {
  limit?: number;
}

const defaultLimit = 25;
/** The most that a page may hold. */
const pageSize = 1_000;

/** `runlane versions list`: the versions of the tasks' code, the newest first. */
export async function listVersionsCommand(context: CommandContext, options: ListVersionsOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => {
    const { versions } = await server.versions.listVersions({ pageSize: options.limit ?? defaultLimit });
    if (options.json) context.terminal.result(JSON.stringify(versions.map(versionToJson)));
    else if (versions.length === 0) context.terminal.note("No worker has been connected so far. runlane dev and runlane worker start one.");
    else context.terminal.result(versionTable(versions));
  });
}

/** `runlane versions promote`: makes a version current. */
export async function promoteVersionCommand(context: CommandContext, version: string, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, (server) => promote(context, server, version, options));
}

/** `runlane versions rollback`: promotes the newest version before the current one that was not rolled back from itself. */
export async function rollbackVersionCommand(context: CommandContext, options: ClientOptions): Promise<ExitCode> {
  return await connected(context, options, async (server) => promote(context, server, await versionBefore(server), options));
}

async function promote({ terminal }: CommandContext, server: ServerConnection, asked: string, { json }: ClientOptions): Promise<void> {
  const { version } = await server.versions.promoteVersion({ version: asked });
  if (json) terminal.result(JSON.stringify(version && versionToJson(version)));
  else terminal.result(`Version ${asked} is current: runs that have not started run it from now on.`);
  if (version?.workerCount === 0) terminal.note(`No worker of version ${asked} is connected: until one is, older versions start what is triggered.`);
}

async function versionBefore(server: ServerConnection): Promise<string> {
  let found = false;
  for (let pageToken = ""; ; ) {
    const { versions, nextPageToken } = await server.versions.listVersions({ pageSize, pageToken });
    for (const { version, current, setAside } of versions) {
      if (found && !setAside) return version;
      found ||= current;
    }
    if (nextPageToken === "") throw new CommandFailure(exitCode.refused, "there is no version before the current one");
    pageToken = nextPageToken;
  }
}

/** A version for programs. */
function versionToJson({ version, buildId, createTime, current, setAside, workerCount }: Version): Record<string, unknown> {
  return { version, buildId, createTime: createTime && timestampDate(createTime).toISOString(), current, setAside, workerCount };
}

function versionTable(versions: readonly Version[]): string {
  const rows = versions.map(({ version, createTime, current, setAside, workerCount, buildId }) => [
    version,
    current ? "current" : setAside ? "set aside" : "",
    createTime
      ? timestampDate(createTime)
          .toISOString()
          .replace(/\.\d+Z$/, "Z")
      : "",
    String(workerCount),
    buildId.slice(0, 12),
  ]);
  return table(["VERSION", "", "FIRST SEEN", "WORKERS", "BUILD"], rows);
}
