// `node kept-main.js <program> <arguments…>`: keeps a program that is not for Node: it ends with this one, whatever this one ends of.
import { spawn } from "node:child_process";

const [program = "", ...args] = process.argv.slice(2);
const kept = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
kept.once("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
kept.once("exit", (code, signal) => {
  console.error(`${program} ended: ${signal ?? code}`);
  process.exit(1);
});
process.on("SIGTERM", () => {
  kept.removeAllListeners("exit");
  kept.once("exit", () => process.exit(0));
  kept.kill("SIGTERM");
});
