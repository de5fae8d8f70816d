import { Code, ConnectError } from "@connectrpc/connect";
import { ApiClientMissingError } from "@runlane/sdk";
import type { Task } from "@runlane/sdk/gen/runlane/v1/task_service_pb.js";
import type { DataFolder } from "@runlane/sdk/internal";
import { parseServerAddress } from "@runlane/sdk/internal";
import type { ServerConnection } from "../cli/command-context.js";
import { listTasks } from "../cli/tasks-command.js";
import { type Finding, fail, ok, skip, warn } from "./finding.js";

const defaultAddress = "http://127.0.0.1:7400";
/** The server tells its time in whole seconds, and an answer takes its time. */
const toleratedSkewMs = 3_000;

/** Which server is meant, and who said so. */
export interface Target {
  readonly address: string;
  /** For people: "RUNLANE_ADDRESS", say. */
  readonly source: string;
  /** Somebody named it, by an option or a variable. */
  readonly named: boolean;
  /** Where else an address stands that does not count. */
  readonly overruled: readonly string[];
}

/** Finds out which server clients and workers in this place would speak to: by the rules of the SDK, which tells only the outcome. */
export function targetOf(option: string | undefined, env: NodeJS.ProcessEnv, folder: DataFolder | undefined): Target {
  const sources: [string, string | undefined][] = [
    ["--address", option],
    ["RUNLANE_ADDRESS", env.RUNLANE_ADDRESS],
    ["TRIGGER_API_URL", env.TRIGGER_API_URL],
    [`${folder?.path ?? ""}/server.json`, folder?.address],
  ];
  const [first, ...others] = sources.filter(([, address]) => address);
  // Whoever writes it on the command line means it.
  const overruled = option ? [] : others.filter(([, address]) => address !== first?.[1]).map(([source]) => source);
  if (first?.[1] === undefined) return { address: defaultAddress, source: "the default", named: false, overruled };
  return { address: first[1], source: first[0], named: first[0] !== `${folder?.path ?? ""}/server.json`, overruled };
}

/** Whether the address is one, and which of several counts. */
export function checkAddress({ address, source, overruled }: Target): Finding {
  try {
    parseServerAddress(address);
  } catch (error) {
    return fail(`${source}: ${(error as Error).message}`, "write http(s)://host[:port]");
  }
  if (overruled.length === 0) return ok(`${address}, by ${source}`);
  return warn(
    `${address}, by ${source}; ${overruled.join(" and ")} say${overruled.length === 1 ? "s" : ""} otherwise, and do${overruled.length === 1 ? "es" : ""} not count`,
    "remove what is not meant",
  );
}

/** Who says which key is used; the key itself stays unsaid. Undefined if there is none. */
export function keySource(env: NodeJS.ProcessEnv, folder: DataFolder | undefined): string | undefined {
  if (env.RUNLANE_SECRET_KEY) return "RUNLANE_SECRET_KEY";
  if (env.TRIGGER_SECRET_KEY) return "TRIGGER_SECRET_KEY";
  return folder?.secretKey === undefined ? undefined : `${folder.path}/secret-key`;
}

/** What a server answered. */
export interface Answer {
  readonly tasks: readonly Task[];
  /** Its version; undefined if it is older than that it says so. */
  readonly version: string | undefined;
  /** By how much its clock is ahead of this machine's, in milliseconds; undefined if it does not tell the time. */
  readonly aheadMs: number | undefined;
}

/** Asks a server for its tasks, which needs the address and the key, and tells the rest by the way. */
export async function ask(server: ServerConnection, now: () => number = Date.now): Promise<Answer> {
  let version: string | undefined;
  let aheadMs: number | undefined;
  const sentAt = now();
  const tasks = await listTasks(server, (header) => {
    version ??= header.get("runlane-version") ?? undefined;
    const date = Date.parse(header.get("date") ?? "");
    // The second is cut off: half of one is the best guess.
    if (!Number.isNaN(date)) aheadMs ??= date + 500 - (sentAt + now()) / 2;
  });
  return { tasks, version, aheadMs };
}

/** Whether the server answers. `error` is what the call failed with; undefined if it did not. */
export function reachFinding(error: unknown, { address, named }: Target): Finding {
  if (error === undefined) return ok("it answers");
  if (error instanceof ApiClientMissingError)
    return named ? skip("not asked: there is no key") : warn("none has run here so far", "start one: runlane dev, or runlane server");
  const { code, rawMessage } = ConnectError.from(error);
  if (code === Code.Unauthenticated || code === Code.PermissionDenied) return ok("it answers, though it does not accept the key");
  if (code !== Code.Unavailable && code !== Code.DeadlineExceeded) return fail(`it answers with an error: ${rawMessage}`, "look into the log of the server");
  if (named) return fail(rawMessage, `see that a server runs there, and that this machine may reach ${address}`);
  return warn(`no server runs: ${rawMessage}`, "start one: runlane dev, or runlane server");
}

/** Whether the server accepts the key. */
export function keyFinding(error: unknown, source: string | undefined, { named }: Target): Finding {
  if (source === undefined && !named) return skip("none so far: the first start of a server mints one");
  if (source === undefined)
    return fail("there is no secret key", "set RUNLANE_SECRET_KEY; for a server of this machine, work in the folder that its .runlane is in");
  if (error === undefined) return ok(`accepted, from ${source}`);
  const { code, rawMessage } = ConnectError.from(error);
  if (code !== Code.Unauthenticated && code !== Code.PermissionDenied) return skip("the server was not reached");
  return fail(`refused, from ${source}: ${rawMessage}`, "use the key of this server: the file secret-key in its data folder");
}

/** Whether the two clocks agree. */
export function clockFinding(aheadMs: number | undefined): Finding {
  if (aheadMs === undefined) return skip("the server does not tell its time");
  if (Math.abs(aheadMs) <= toleratedSkewMs) return ok("agrees with the server's, to the second");
  const which = aheadMs > 0 ? "ahead of" : "behind";
  return warn(
    `the server's is ${(Math.abs(aheadMs) / 1_000).toFixed(0)} s ${which} this one`,
    "set both by NTP. Nothing breaks, but times of runs are the server's and will look wrong here",
  );
}

/** Whether command and server fit. */
export function versionFinding(own: string, server: string | undefined): Finding {
  if (server === undefined) return warn(`the command is ${own}; the server does not tell its own`, "bring the server up to date");
  if (server === own) return ok(`command and server are ${own}`);
  return warn(`the command is ${own}, the server ${server}`, "use the same version on both sides");
}

/** Whether the tasks have workers. `own` are the ids of the tasks in this project; undefined if they are not known. */
export function workersFinding(tasks: readonly Task[], own: readonly string[] | undefined): Finding {
  const served = new Set(tasks.filter(({ workerCount }) => workerCount > 0).map(({ id }) => id));
  if (served.size === 0) {
    return warn(
      tasks.length === 0 ? "none has ever been connected" : `none is connected; known tasks: ${tasks.length}`,
      "start one: runlane dev, or runlane worker",
    );
  }
  const missing = own?.filter((id) => !served.has(id)) ?? [];
  if (missing.length === 0) return ok(`${served.size} of ${tasks.length} known tasks have one`);
  return warn(
    `no worker has ${missing.slice(0, 5).join(", ")}${missing.length > 5 ? ` and ${missing.length - 5} others` : ""} of this project`,
    "start one here: runlane dev, or runlane worker",
  );
}
