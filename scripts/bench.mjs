// `npm run bench`: installs and obtains what is missing, builds, and measures. bench/README.md says what, and how to read it.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { obtainNatsServer } from "./nats-server.mjs";
import { build, checkNode, installDependencies } from "./ready.mjs";
import { root, scriptEnvironment } from "./repository.mjs";

try {
  checkNode();
  await installDependencies();
  // Standard output is for results.
  const RUNLANE_NATS_SERVER = await obtainNatsServer({ log: (line) => console.error(line) });
  await build();
  const bench = spawn(process.execPath, [join(root, "bench", "dist", "main.js"), ...process.argv.slice(2)], {
    cwd: root,
    env: scriptEnvironment({ RUNLANE_NATS_SERVER }),
    stdio: "inherit",
  });
  // A terminal's Ctrl-C reaches both; the bench needs a moment to clean up.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => bench.kill("SIGTERM"));
  process.exitCode = await new Promise((ended) => bench.once("exit", (code) => ended(code ?? 1)));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
