import { createServer } from "node:net";
import { type Finding, ok, warn } from "./finding.js";
import { type PortOwner, portOwner } from "./port-owner.js";

/** Where a server listens unless somebody says otherwise: gRPC, HTTP. */
export const defaultPorts = [7_400, 7_401] as const;

/** Whether a server could listen on a port of this machine, or whose it is. `serverPid` is the process of the data folder's server, if one runs. */
export async function checkPort(port: number, serverPid: number | undefined): Promise<Finding> {
  if (await isFree(port)) return ok("free");
  return takenPort(port, await portOwner(port), serverPid);
}

/** What to make of a port that somebody listens on. */
export function takenPort(port: number, owner: PortOwner | undefined, serverPid: number | undefined): Finding {
  if (owner !== undefined && owner.pid === serverPid) return ok(`taken by the server of the data folder, process ${owner.pid}`);
  const who = owner === undefined ? "a process that cannot be seen from here" : `process ${owner.pid}${owner.command === "" ? "" : ` (${owner.command})`}`;
  return warn(
    `taken by ${who}`,
    `stop that, or start the server elsewhere: runlane server --listen 127.0.0.1:${port + 10}. runlane dev takes any free port by itself`,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
