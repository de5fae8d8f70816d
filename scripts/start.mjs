// `npm start`: installs, obtains nats-server, builds, starts Runlane and a worker with the example tasks, triggers them and shows their runs, and stays until Ctrl-C.
//
//   npm start -- --once                     ends after the example runs: 0 if every one completed, else 1
//   npm start -- --listen 127.0.0.1:7410    another address (or RUNLANE_LISTEN)
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { Child } from "./children.mjs";
import { build, checkNode, installDependencies, natsServer } from "./ready.mjs";
import { root } from "./repository.mjs";

const usage = "usage: npm start [-- [--once] [--listen HOST:PORT] [--data FOLDER]]";
const readyWithinMs = 60_000;
const cli = join(root, "services", "server", "dist", "main.js");
/** Children in the order in which they were started; they are stopped in the opposite one. @type {Child[]} */
const children = [];
let stopping = false;
let staying = false;

class StartError extends Error {}

function options() {
  try {
    const { values } = parseArgs({ options: { once: { type: "boolean" }, listen: { type: "string" }, data: { type: "string" } } });
    const listen = values.listen ?? (process.env.RUNLANE_LISTEN || "127.0.0.1:7400");
    const [, host, port] = /^(?:\[?(.*?)\]?:)?(\d+)$/.exec(listen) ?? [];
    if (port === undefined) throw new Error(`${listen} is not HOST:PORT`);
    return { once: values.once ?? false, listen, host: host ?? "127.0.0.1", port: Number(port), data: values.data ?? join(root, ".runlane") };
  } catch (error) {
    throw new StartError(`${error.message}\n${usage}`);
  }
}

/** Fails with words for people if somebody else listens there. */
function checkPort(host, port) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      const why = error.code === "EADDRINUSE" ? `${host}:${port} is taken. Is another Runlane running?` : `cannot listen on ${host}:${port}: ${error.message}`;
      reject(new StartError(`${why}\nTo use another port: npm start -- --listen 127.0.0.1:${port + 10}`));
    });
    probe.listen(port, host || undefined, () => probe.close(resolve));
  });
}

/** Makes sure of everything that has to be there, and answers the path of nats-server. */
async function prepare() {
  try {
    checkNode();
    await installDependencies();
    const nats = await natsServer();
    await build();
    return nats;
  } catch (error) {
    throw new StartError(error.message);
  }
}

/** A path as people like to read it. */
function shown(path) {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}

function start(child) {
  children.push(child);
  return child;
}

/** Rejects when `child` ends, with what it said last. */
async function endOf(child) {
  const code = await child.ended;
  if (child.stopping || stopping) return new Promise(() => {});
  const words = child.lastWords();
  throw new StartError(`${child.name} ended ${code === null ? "by a signal" : `with exit code ${code}`}${words ? `. It said last:\n${words}` : ""}`);
}

/** Waits until the server has written down where it listens. */
async function serverAddress(server, data) {
  const deadline = performance.now() + readyWithinMs;
  while (performance.now() < deadline) {
    try {
      const written = JSON.parse(readFileSync(join(data, "server.json"), "utf8"));
      if (written.pid === server.pid) return written.address;
    } catch {
      // Not written so far, or half of it.
    }
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new StartError(`the server was not ready within ${readyWithinMs / 1000} s. It said last:\n${server.lastWords()}`);
}

async function main() {
  const { once, listen, host, port, data } = options();
  await checkPort(host, port);
  const nats = await prepare();

  mkdirSync(data, { recursive: true });
  const logs = { server: join(data, "server.log"), worker: join(data, "worker.log") };
  const server = start(new Child("The server", cli, ["server", "--data", data, "--listen", listen], { log: logs.server, env: { RUNLANE_NATS_SERVER: nats } }));
  const address = await Promise.race([serverAddress(server, data), endOf(server)]);

  const env = { RUNLANE_ADDRESS: address, RUNLANE_SECRET_KEY: readFileSync(join(data, "secret-key"), "utf8").trim() };
  const worker = start(new Child("The worker", cli, ["worker"], { cwd: join(root, "examples"), env, log: logs.worker }));

  console.log(`\nRunlane listens on ${address}. The example tasks (examples/trigger):\n`);
  const demo = start(new Child("The demo", join(root, "examples", "dist", "src", "demo.js"), [root], { env }));
  const code = await Promise.race([demo.ended, endOf(server), endOf(worker)]);
  if (stopping) return;
  if (code !== 0) throw new StartError(`An example run did not complete; see above, and ${shown(logs.worker)}`);

  console.log("\nEvery example run completed.");
  if (once) return await stop(0);
  staying = true;
  console.log(`
Trigger one yourself:     npx runlane trigger hello '{"name":"you"}' --wait
Run a task of your own:   put it into my-tasks/hello.ts, then npx runlane worker my-tasks
Address and secret key:   ${address}, ${shown(join(data, "secret-key"))}
Logs:                     ${Object.values(logs).map(shown).join(", ")}
Ctrl-C stops everything.`);
  await Promise.race([endOf(server), endOf(worker)]);
}

/** Stops every child, the youngest first, and exits. */
async function stop(code) {
  if (stopping) return;
  stopping = true;
  for (const child of children.toReversed()) await child.stop();
  process.exit(code);
}

/** A signal stops in order; a second one at once. npm hands on what the terminal has sent to the whole group already, so signals within a second are one. */
function onSignal(exitCode) {
  let firstAt;
  return () => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > 1_000) {
      for (const child of children) child.kill();
      process.exit(exitCode);
    }
    void stop(staying ? 0 : exitCode);
  };
}

process.on("SIGINT", onSignal(130));
process.on("SIGTERM", onSignal(143));
process.on("SIGHUP", onSignal(129));

try {
  await main();
} catch (error) {
  if (!stopping) {
    console.error(`\n${error instanceof StartError ? error.message : (error.stack ?? error)}`);
    await stop(1);
  }
}
