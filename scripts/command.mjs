import { spawn } from "node:child_process";
import { root, scriptEnvironment } from "./repository.mjs";

/**
 * Runs a program in the repository's folder to its end.
 *
 * @param {string} program a path, or a name found among the workspace's commands or on PATH
 * @param {string[]} args its arguments
 * @param {{ show?: boolean, env?: Record<string, string> }} [options] `show`: its output goes to the terminal instead of the answer (default false);
 *   `env` is added to the environment
 * @returns {Promise<{ code: number, output: string }>} exit code (1 if a signal ended it or it could not be started) and what it wrote
 */
export function command(program, args, { show = false, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env: scriptEnvironment(env), stdio: show ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"] });
    const end = () => child.kill();
    process.once("exit", end);
    let output = "";
    const keep = (chunk) => (output += chunk);
    child.stdout?.setEncoding("utf8").on("data", keep);
    child.stderr?.setEncoding("utf8").on("data", keep);
    child.on("error", (error) => resolve({ code: 1, output: `${program} could not be started: ${error.message}` }));
    child.on("close", (code, signal) => {
      process.off("exit", end);
      resolve({ code: code ?? 1, output: signal ? `${output}${program} was ended by ${signal}\n` : output });
    });
  });
}

/** Runs npm, the one that runs this script if there is one. Parameters and answer as `command`. */
export function npm(args, options) {
  const running = process.env.npm_execpath;
  return running?.endsWith(".js") ? command(process.execPath, [running, ...args], options) : command("npm", args, options);
}
