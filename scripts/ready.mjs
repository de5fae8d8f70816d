// What has to be there before anything can run: dependencies, nats-server, the built workspace. Each function does nothing, quickly, when it is there already.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { command, npm } from "./command.mjs";
import { obtainNatsServer } from "./nats-server.mjs";
import { root } from "./repository.mjs";
import { bundleTestingKit } from "./testing-kit.mjs";

const oldestNode = [20, 19];

/** Refuses a Node that is too old. */
export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    throw new Error(`Node ${oldestNode.join(".")} or newer is needed; this is ${process.versions.node}`);
  }
}

/** Installs the dependencies if they are not there, or are not the ones in the lock file. */
export async function installDependencies() {
  if (installed()) return;
  console.log("Installing dependencies (npm ci)…");
  const { code } = await npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"], { show: true });
  if (code !== 0) throw new Error("npm ci failed; its message is above");
}

/** Obtains nats-server and answers its path. */
export async function natsServer() {
  return await obtainNatsServer({ log: (line) => console.log(line) });
}

/** Builds what has changed. */
export async function build() {
  const { code, output } = await command("tsc", ["-b"]);
  if (code !== 0) throw new Error(`the build failed:\n${output}`);
  await bundleTestingKit();
}

function installed() {
  const present = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(present)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const have = JSON.parse(readFileSync(present, "utf8")).packages;
  return Object.entries(wanted).every(
    ([path, entry]) => !path.startsWith("node_modules/") || entry.optional || (entry.link ? have[path]?.link : have[path]?.version === entry.version),
  );
}
