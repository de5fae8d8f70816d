import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findNatsBinary, oldestNatsServer } from "../nats-binary.js";
import { type Finding, fail, ok } from "./finding.js";

const oldestNode = [20, 19] as const;

/** Whether this Node can run Runlane. `version` is without a "v". */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  return isOld ? fail(`version ${version} is too old`, `install Node ${oldestNode.join(".")} or newer`) : ok(`version ${version}`);
}

/** Whether there is a nats-server, and where it was found. `isNeeded` is false for whoever uses a server elsewhere. */
export async function checkNatsServer(path: string | undefined, env: NodeJS.ProcessEnv, isNeeded: boolean): Promise<Finding> {
  try {
    const binary = await findNatsBinary({ path, env });
    const { stdout } = await promisify(execFile)(binary, ["--version"], { timeout: 10_000 });
    return ok(`version ${/v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1] ?? "unknown"} at ${binary}, ${originOf(binary, path, env)}`);
  } catch (error) {
    const words = (error as Error).message;
    if (!isNeeded) return ok("not found, and not needed: the server runs elsewhere");
    return fail(words, `obtain nats-server ${oldestNatsServer} or newer, and put it on PATH or name it by RUNLANE_NATS_SERVER`);
  }
}

function originOf(binary: string, path: string | undefined, env: NodeJS.ProcessEnv): string {
  if (path) return "named by --nats-server";
  if (env.RUNLANE_NATS_SERVER) return "named by RUNLANE_NATS_SERVER";
  return dirname(binary).includes(join(".cache", "nats-server")) ? "the checkout's copy" : "found on PATH";
}
